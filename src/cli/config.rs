//! `config`: what is set, why, and whether it is right; and how settings reach the other commands.
//!
//! Options that are settings get their help and their values from the table of keys: the command line is read once for
//! what it says itself, then the effective values become the options' defaults, and it is read again.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::builder::PossibleValuesParser;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches as _, ValueEnum};
use harmonynet::settings::board::{self, Parts, System};
use harmonynet::settings::last_good::{self, Instead};
use harmonynet::settings::{
    DEFAULT_FILE, KEYS, Key, Kind, Layer, Origin, Problem, Problems, Settings, Value, conflicts, text,
};

pub(crate) const EXAMPLES: &str = "\
Examples:
  harmonynet config --print                        every effective value, and where it came from
  harmonynet config --example > harmonynet.toml    a documented file to begin with
  harmonynet config --check harmonynet.toml        what is wrong with a file, line by line
  harmonynet config --boot raspberry-pi-os         lines for config.txt and cmdline.txt, for what is wired
  harmonynet config --print --set display.brightness=10

Exit code 1 where anything is wrong.";

/// Options that say where settings are.
#[derive(Args, Debug)]
pub(crate) struct SettingsArgs {
    /// Settings file [default: /etc/harmonynet/harmonynet.toml, where there is one]
    #[arg(long, value_name = "FILE", env = "HARMONYNET_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,

    /// Folder where a running device keeps its last good settings: with it, a settings file that is broken is told on the
    /// display, and those are used
    #[arg(long, value_name = "DIR", env = "HARMONYNET_STATE", hide_env_values = true)]
    state: Option<PathBuf>,

    /// File in which whoever wrote the settings file says why it is another than the person's, line by line: told on the
    /// display like a settings file that is broken
    #[arg(long, value_name = "FILE", env = "HARMONYNET_NOTICE", hide_env_values = true)]
    notice: Option<PathBuf>,

    /// Any setting by its name, such as display.brightness=10 (`harmonynet config --example` lists them)
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl SettingsArgs {
    /// The settings file that was named.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.config.as_deref().filter(|file| !file.as_os_str().is_empty())
    }

    /// The state folder that was named.
    pub(crate) fn state(&self) -> Option<&Path> {
        self.state.as_deref().filter(|state| !state.as_os_str().is_empty())
    }

    /// The lines of the notice that was named. One that isn't there says nothing; neither does one that can't be read, as
    /// nothing follows from it but words.
    fn notice(&self) -> Vec<String> {
        let Some(file) = self.notice.as_deref().filter(|file| !file.as_os_str().is_empty()) else {
            return Vec::new();
        };
        let mut bytes = Vec::new();
        let read = File::open(file).and_then(|file| file.take(LONGEST_NOTICE).read_to_end(&mut bytes));
        read.map_or_else(
            |_| Vec::new(),
            |_| {
                String::from_utf8_lossy(&bytes)
                    .lines()
                    .map(|line| line.replace(char::is_control, " "))
                    .collect()
            },
        )
    }
}

/// Options of `config`.
#[derive(Args)]
pub(crate) struct ConfigCommand {
    #[command(flatten)]
    settings: SettingsArgs,

    /// Print every effective value and where it came from (the default)
    #[arg(long, group = "what")]
    print: bool,

    /// Say what is wrong with a settings file, and with what is wired by it
    #[arg(long, value_name = "FILE", group = "what")]
    check: Option<PathBuf>,

    /// Print the documented example file
    #[arg(long, group = "what")]
    example: bool,

    /// Print the boot configuration that board, microphone and display need
    #[arg(long, value_enum, value_name = "SYSTEM", group = "what")]
    boot: Option<SystemArg>,

    /// The machine's config.txt, searched for kernel drivers that would take the display away
    #[arg(long, value_name = "FILE", requires = "check")]
    boot_config: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SystemArg {
    /// A Raspberry Pi OS that harmonynet is added to
    RaspberryPiOs,
    /// Our own image
    Image,
}

/// Most bytes that are read of a notice.
const LONGEST_NOTICE: u64 = 8 * 1024;

/// Options that a display test's help shows; it takes the others too, as they come from the same file.
const OF_DISPLAYS: &[&str] = &["board", "display"];

/// Settings that hold, and what was wrong on the way to them.
pub(crate) struct Loaded {
    /// The settings.
    pub(crate) settings: Settings,
    /// What is wrong with the settings file, where the device goes on all the same.
    pub(crate) problems: Vec<Problem>,
    /// What is used instead of the file.
    pub(crate) instead: Option<Instead>,
    /// Why the file itself is another than the person's.
    pub(crate) notice: Vec<String>,
}

impl Loaded {
    /// Whether other settings are used than those that the person wrote.
    pub(crate) fn are_others(&self) -> bool {
        self.instead.is_some() || !self.notice.is_empty()
    }
}

/// Whether a command takes the settings file and every key, or only the environment's.
fn takes_settings(command: &Command) -> bool {
    has(command, "set")
}

fn has(command: &Command, id: &str) -> bool {
    command.get_arguments().any(|arg| arg.get_id() == id)
}

/// The id of a key's own option.
fn id(option: &str) -> String {
    option.replace('-', "_")
}

/// Gives the options of settings their help, and adds those that no command declares by itself.
pub(crate) fn described(mut command: Command) -> Command {
    let is_model = has(&command, "graph");
    if takes_settings(&command) || is_model {
        for key in KEYS {
            let Some(option) = key.option else { continue };
            let help = text::option_help(key);
            if has(&command, &id(option)) {
                command = command.mut_arg(id(option), |arg| arg.help(help).required(false));
            } else if takes_settings(&command) {
                let mut arg = Arg::new(id(option)).long(option).value_name("NAME").help(help);
                arg = arg.hide(command.get_name() == "display-test" && !OF_DISPLAYS.contains(&option));
                if let Kind::Choice(words) = key.kind {
                    arg = arg.value_parser(PossibleValuesParser::new(words));
                }
                command = command.arg(arg);
            }
        }
    }
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_string()).collect();
    names.into_iter().fold(command, |command, name| command.mut_subcommand(name, described))
}

/// What the command line itself says about keys: by their own options, then by `--set`.
fn said(command: &Command, matches: &ArgMatches, set: &[String]) -> Result<Vec<(&'static str, String)>> {
    let mut said = Vec::new();
    for key in KEYS {
        let Some(id) = key.option.map(id).filter(|id| has(command, id)) else { continue };
        if matches.value_source(&id) == Some(ValueSource::CommandLine) {
            let raw = matches.get_raw(&id).and_then(|mut values| values.next_back());
            let text = raw.map_or_else(String::new, |text| text.to_string_lossy().into_owned());
            said.push((key.name, if key.kind == Kind::Flag { "true".into() } else { text }));
        }
    }
    for pair in set {
        let (name, text) = pair.split_once('=').with_context(|| format!("--set {pair}: write KEY=VALUE"))?;
        let key = KEYS.iter().find(|key| key.name == name);
        // A name that means no key is told with the nearest one.
        let name = key.map(|key| key.name).map_or_else(
            || Err(Layer::of_command_line([(name, text)]).err().unwrap_or(Problems(Vec::new()))),
            Ok,
        )?;
        said.push((name, text.into()));
    }
    Ok(said)
}

/// Which layers a command takes below the command line.
#[derive(Clone, Copy)]
enum Layers<'a> {
    /// None: it has no options that are settings, or judges another file.
    None,
    /// The environment.
    Environment,
    /// The environment and the settings file.
    All(&'a SettingsArgs),
    /// The same, but what is broken is told instead of used, and no copy is kept.
    Forgiving(&'a SettingsArgs),
}

/// Reads the layers below the command line and lays it over them; for commands that take no settings, only the defaults.
fn load(layers: Layers<'_>, said: &[(&'static str, String)], root: &Path) -> Result<Loaded> {
    let command_line = Layer::of_command_line(said.iter().map(|(name, text)| (*name, text.as_str())))?;
    // What isn't Unicode is no setting of ours.
    let variables = std::env::vars_os()
        .filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?)));
    let mut broken = Vec::new();
    let environment = match layers {
        Layers::None => Layer::default(),
        Layers::Forgiving(_) => Layer::of_environment(variables).unwrap_or_else(|Problems(found)| {
            broken = found;
            Layer::default()
        }),
        Layers::Environment | Layers::All(_) => Layer::of_environment(variables)?,
    };
    let (file, problems, instead) = match layers {
        Layers::All(args) => read(args)?,
        Layers::Forgiving(args) => read_forgiving(args),
        Layers::None | Layers::Environment => (Layer::default(), Vec::new(), None),
    };
    broken.extend(problems);
    let settings = Settings::resolve(&command_line, &environment, &file, &board::compatible_below(root))?;
    let notice = match layers {
        Layers::All(args) | Layers::Forgiving(args) => args.notice(),
        Layers::None | Layers::Environment => Vec::new(),
    };
    Ok(Loaded { settings, problems: broken, instead, notice })
}

/// The file's layer; of a broken file the last good one, as a running device would take it, or none.
fn read_forgiving(args: &SettingsArgs) -> (Layer, Vec<Problem>, Option<Instead>) {
    let named = args.file();
    let file = named.unwrap_or(Path::new(DEFAULT_FILE));
    if named.is_none() && !file.exists() {
        return (Layer::default(), Vec::new(), None);
    }
    match (of_file(file), args.state()) {
        (Ok(layer), _) => (layer, Vec::new(), None),
        (Err(_), Some(state)) => {
            let good = last_good::read(file, state);
            (good.layer, good.problems, good.instead)
        }
        (Err(Problems(problems)), None) => (Layer::default(), problems, Some(Instead::Nothing)),
    }
}

/// The file's layer; of a running device the last good one, with what is wrong.
fn read(args: &SettingsArgs) -> Result<(Layer, Vec<Problem>, Option<Instead>)> {
    let named = args.file();
    let file = named.unwrap_or(Path::new(DEFAULT_FILE));
    if let Some(state) = args.state() {
        let good = last_good::read(file, state);
        return Ok((good.layer, good.problems, good.instead));
    }
    if named.is_none() && !file.exists() {
        return Ok((Layer::default(), Vec::new(), None));
    }
    Ok((of_file(file)?, Vec::new(), None))
}

fn of_file(file: &Path) -> Result<Layer, Problems> {
    let name = file.display().to_string();
    match std::fs::read_to_string(file) {
        Ok(text) => Layer::of_file(&name, &text),
        Err(error) => Err(Problems(vec![last_good::unreadable(&name, &error)])),
    }
}

/// Reads the command line twice: for what it says, and with the effective settings as defaults below that.
///
/// # Errors
/// What is wrong with the settings. What is wrong with the command line itself ends the program as clap does.
pub(crate) fn parse(command: Command, line: Vec<OsString>) -> Result<(ArgMatches, Loaded)> {
    let command = described(command);
    let outer = command.clone().get_matches_from(&line);
    let (inner_command, inner) = match outer.subcommand() {
        Some((name, matches)) => (command.find_subcommand(name).unwrap_or(&command), matches),
        None => (&command, &outer),
    };
    let args =
        if takes_settings(inner_command) { Some(SettingsArgs::from_arg_matches(inner)?) } else { None };
    let checks_only = inner.try_contains_id("check").is_ok_and(|there| there)
        || inner.try_get_one::<bool>("example").is_ok_and(|flag| flag == Some(&true));
    let set = args.as_ref().map_or(&[][..], |args| &args.set);
    let said = said(inner_command, inner, set)?;
    let layers = match &args {
        // Another file is to be judged, or none at all: this machine's settings have no say.
        _ if checks_only => Layers::None,
        // Whoever looks for what is wrong must not stop at the first thing.
        Some(args) if inner_command.get_name() == "doctor" => Layers::Forgiving(args),
        Some(args) => Layers::All(args),
        None if has(inner_command, "graph") => Layers::Environment,
        None => Layers::None,
    };
    let root = inner.try_get_one::<PathBuf>("root").ok().flatten();
    let loaded = load(layers, &said, root.map_or(Path::new("/"), PathBuf::as_path))?;
    let chosen = outer.subcommand_name();
    let matches = with_defaults(command, chosen, &loaded.settings)?.get_matches_from(&line);
    Ok((matches, loaded))
}

/// The command with the effective settings as defaults of the options that they are. `chosen` is the subcommand that is
/// going to run, if any; only its options must be able to take what is set.
fn with_defaults(mut command: Command, chosen: Option<&str>, settings: &Settings) -> Result<Command> {
    let runs = chosen.is_none_or(|chosen| command.get_name() == chosen);
    if takes_settings(&command) || has(&command, "graph") {
        for (key, value, origin) in settings.iter() {
            let (Some(option), Some(value)) = (key.option.map(id), value) else { continue };
            let Some(arg) = command.get_arguments().find(|arg| arg.get_id() == option.as_str()) else {
                continue;
            };
            let mut text = plain(value);
            let known = arg.get_possible_values();
            let takes = |text: &str| {
                key.kind == Kind::Flag
                    || known.is_empty()
                    || known.iter().any(|known| known.matches(text, false))
            };
            if !takes(&text) {
                if runs {
                    return Err(not_in_this_build(key, &text, origin).into());
                }
                text = key.preset_text().to_string();
            }
            command = command.mut_arg(option, |arg| arg.default_value(text));
        }
    }
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_string()).collect();
    for name in names {
        let sub = command.find_subcommand(&name).cloned().unwrap_or_default();
        // Where no subcommand was chosen, none runs.
        let sub = with_defaults(sub, Some(chosen.unwrap_or_default()), settings)?;
        command = command.mut_subcommand(name, |_| sub);
    }
    Ok(command)
}

/// A value as it is written on the command line.
fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        other => other.to_string(),
    }
}

fn not_in_this_build(key: &Key, text: &str, origin: &Origin) -> Problem {
    Problem {
        // With its line, where it has one.
        place: origin.to_string(),
        line: None,
        field: key.name.into(),
        wrong: format!("this build has no `{text}`"),
        mend: "choose another, or install a build that has it".into(),
    }
}

pub(crate) fn run(args: &ConfigCommand, loaded: &Loaded) -> Result<()> {
    if args.example {
        out!("{}", text::example());
        return Ok(());
    }
    if let Some(file) = &args.check {
        return check(file, args.boot_config.as_deref());
    }
    let settings = &loaded.settings;
    let parts = Parts::shipped()?;
    let text_of = |name: &str| settings.text(name).unwrap_or_default();
    if let Some(system) = args.boot {
        let system = match system {
            SystemArg::RaspberryPiOs => System::RaspberryPiOs,
            SystemArg::Image => System::Image,
        };
        let [microphone, display, bus] = ["microphone.kind", "display.kind", "display.bus"].map(text_of);
        let lines = settings.board().boot(system, parts, microphone, display, bus);
        let head = format!("# config.txt, for {}, {microphone}, {display}", settings.board().title);
        let then = "# words to add to the one line of cmdline.txt".to_string();
        let lines = [vec![head], lines.config, vec![then], lines.cmdline].concat();
        outln!("{}", lines.join("\n"));
    } else {
        out!("{}", text::print(settings));
    }
    tell(loaded);
    let found = conflicts::find(settings, parts, None);
    if found.is_empty() { Ok(()) } else { Err(Problems(found).into()) }
}

/// Tells on standard error what is wrong with the settings file that a device goes on without.
pub(crate) fn tell(loaded: &Loaded) {
    for line in complaints(loaded) {
        super::log::say(format_args!("harmonynet: {line}"));
    }
}

/// What is wrong with the settings file that a device goes on without, as sentences.
pub(crate) fn complaints(loaded: &Loaded) -> Vec<String> {
    let problems = loaded.problems.iter().map(ToString::to_string);
    let mut lines: Vec<String> = loaded.notice.iter().cloned().chain(problems).collect();
    match &loaded.instead {
        Some(Instead::Copy(copy)) => lines.push(format!("using the last good settings, {}", copy.display())),
        Some(Instead::Nothing) => lines.push("there are no last good settings; using the defaults".into()),
        None => {}
    }
    lines
}

/// What is set but cannot work as it is wired, as sentences.
pub(crate) fn miswired(loaded: &Loaded) -> Result<Vec<String>> {
    let found = conflicts::find(&loaded.settings, Parts::shipped()?, None);
    Ok(found.iter().map(ToString::to_string).collect())
}

/// Judges a file: its text, and what is wired by it.
fn check(file: &Path, boot_config: Option<&Path>) -> Result<()> {
    let layer = of_file(file)?;
    let none = Layer::default();
    let settings = Settings::resolve(&none, &none, &layer, &board::compatible())?;
    let boot = match boot_config {
        Some(path) => Some((
            path.display().to_string(),
            std::fs::read_to_string(path).with_context(|| path.display().to_string())?,
        )),
        None => None,
    };
    let boot = boot.as_ref().map(|(place, text)| (place.as_str(), text.as_str()));
    let mut found = conflicts::find(&settings, Parts::shipped()?, boot);
    let told = super::tell::check::check(&settings);
    found.extend(told.problems);
    for warning in told.warnings {
        outln!("warning: {warning}");
    }
    if !found.is_empty() {
        bail!(Problems(found));
    }
    outln!("{}: nothing is wrong, for {}", file.display(), settings.board().title);
    Ok(())
}
