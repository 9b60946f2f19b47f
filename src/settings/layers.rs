//! Layers of settings, and which of them wins: command line > environment > file > board > default.

use super::board::{Board, Parts};
use super::document::{self, Raw};
use super::keys::{ENVIRONMENT_PREFIX, KEYS, Key, TABLES};
use super::nearest::nearest;
use super::problem::{Problem, Problems};
use super::value::Value;

/// Variables of the environment that are no settings but say where those are.
pub const OTHER_VARIABLES: &[&str] = &["HARMONYNET_CONFIG", "HARMONYNET_NOTICE", "HARMONYNET_STATE"];

/// Where a value came from. In the order of precedence, the strongest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    CommandLine,
    /// The environment: the variable.
    Environment(String),
    /// The settings file, and the line.
    File(String, usize),
    /// What the board, or the part that is wired to it, calls for: its name.
    Board(String),
    /// The default.
    Default,
}

impl core::fmt::Display for Origin {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::CommandLine => f.write_str("the command line"),
            Self::Environment(variable) => write!(f, "the environment, {variable}"),
            Self::File(name, line) => write!(f, "{name}, line {line}"),
            Self::Board(name) => write!(f, "board or part {name}"),
            Self::Default => f.write_str("default"),
        }
    }
}

impl Origin {
    /// Place and line as a [`Problem`] tells them.
    fn place(&self) -> (String, Option<usize>) {
        match self {
            Self::File(name, line) => (name.clone(), Some(*line)),
            Self::Environment(_) => ("the environment".into(), None),
            other => (other.to_string(), None),
        }
    }
}

/// What one source says: for some keys a value, and where from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layer {
    said: Vec<(usize, Value, Origin)>,
}

impl Layer {
    /// What a settings file says.
    ///
    /// # Errors
    /// Everything that is wrong with it, with its line: no TOML, keys that don't exist, values that aren't allowed.
    pub fn of_file(name: &str, text: &str) -> Result<Self, Problems> {
        let problem = |line, field: &str, wrong: String, mend: String| Problem {
            place: name.into(),
            line,
            field: field.into(),
            wrong,
            mend,
        };
        let entries = document::entries(text).map_err(|fault| {
            let mend = "settings are TOML: `key = value` below a `[table]`".into();
            Problems(vec![problem(fault.line, "", fault.message, mend)])
        })?;
        let mut layer = Self::default();
        let mut found = Vec::new();
        let mut refused: Vec<String> = Vec::new();
        for entry in entries {
            if refused.iter().any(|table| entry.key.starts_with(table)) {
                // The table was refused as a whole.
                continue;
            }
            let is_table = entry.raw == Raw::Table;
            if is_table && KEYS.iter().any(|key| is_below(key.name, &entry.key)) {
                continue;
            }
            let Some(index) = Key::position(&entry.key) else {
                found.push(problem(
                    Some(entry.line),
                    &entry.key,
                    "there is no such key".into(),
                    meant_in_file(&entry.key, is_table),
                ));
                if is_table {
                    refused.push(format!("{}.", entry.key));
                }
                continue;
            };
            match KEYS[index].kind.of_raw(&entry.raw) {
                Some(value) => layer.said.push((index, value, Origin::File(name.into(), entry.line))),
                None => found.push(problem(
                    Some(entry.line),
                    &entry.key,
                    "its value is not allowed".into(),
                    format!("allowed: {}", KEYS[index].kind.allowed()),
                )),
            }
        }
        Problems::check(found).map(|()| layer)
    }

    /// What the environment says. Empty variables say nothing.
    ///
    /// # Errors
    /// Variables with the prefix `HARMONYNET_` that mean no key, and values that aren't allowed.
    pub fn of_environment(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, Problems> {
        let mut layer = Self::default();
        let mut found = Vec::new();
        let mut variables: Vec<_> = variables
            .into_iter()
            .filter(|(name, text)| name.starts_with(ENVIRONMENT_PREFIX) && !text.is_empty())
            .filter(|(name, _)| !OTHER_VARIABLES.contains(&name.as_str()))
            .collect();
        variables.sort();
        for (name, text) in variables {
            let problem = |wrong: &str, mend| Problem {
                place: "the environment".into(),
                line: None,
                field: name.clone(),
                wrong: wrong.into(),
                mend,
            };
            let Some((index, by_own_name)) = key_of_variable(&name) else {
                let all: Vec<String> = KEYS.iter().map(Key::variable).collect();
                let mend = nearest(&name, all.iter().map(String::as_str)).map_or_else(
                    || "`harmonynet config --example` lists every key".into(),
                    |near| format!("did you mean {near}?"),
                );
                found.push(problem("there is no such key", mend));
                continue;
            };
            match KEYS[index].kind.of_text(&text) {
                Some(value) => {
                    // The key's own variable is stronger than one that it was called by formerly.
                    if by_own_name {
                        layer.said.retain(|(other, ..)| *other != index);
                    } else if layer.says(index) {
                        continue;
                    }
                    layer.said.push((index, value, Origin::Environment(name)));
                }
                None => found.push(problem(
                    &format!("`{text}` is not allowed"),
                    format!("allowed: {}", KEYS[index].kind.allowed()),
                )),
            }
        }
        Problems::check(found).map(|()| layer)
    }

    /// What the command line says: names of keys with their texts. The last one counts.
    ///
    /// # Errors
    /// Keys that don't exist, values that aren't allowed.
    pub fn of_command_line<'a>(said: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, Problems> {
        let mut layer = Self::default();
        let mut found = Vec::new();
        for (name, text) in said {
            let problem = |wrong: String, mend| Problem {
                place: "the command line".into(),
                line: None,
                field: name.into(),
                wrong,
                mend,
            };
            let Some(index) = Key::position(name) else {
                found.push(problem("there is no such key".into(), meant(name)));
                continue;
            };
            match KEYS[index].kind.of_text(text) {
                Some(value) => {
                    layer.said.retain(|(other, ..)| *other != index);
                    layer.said.push((index, value, Origin::CommandLine));
                }
                None => found.push(problem(
                    format!("`{text}` is not allowed"),
                    format!("allowed: {}", KEYS[index].kind.allowed()),
                )),
            }
        }
        Problems::check(found).map(|()| layer)
    }

    fn says(&self, index: usize) -> bool {
        self.get(index).is_some()
    }

    fn get(&self, index: usize) -> Option<(&Value, &Origin)> {
        self.said.iter().find(|(other, ..)| *other == index).map(|(_, value, origin)| (value, origin))
    }
}

/// Whether `name` lies in the table `table`.
fn is_below(name: &str, table: &str) -> bool {
    name.strip_prefix(table).is_some_and(|rest| rest.starts_with('.'))
}

/// The key that a variable means, and whether by its own name.
fn key_of_variable(name: &str) -> Option<(usize, bool)> {
    let own = KEYS.iter().position(|key| key.variable() == name).map(|index| (index, true));
    own.or_else(|| {
        let formerly = |key: &Key| key.formerly.iter().any(|old| super::keys::variable(old) == name);
        KEYS.iter().position(formerly).map(|index| (index, false))
    })
}

/// What was probably meant by a key that doesn't exist.
fn meant(name: &str) -> String {
    if let Some(key) = KEYS.iter().find(|key| key.formerly.contains(&name)) {
        return format!("it is called {} now", key.name);
    }
    nearest(name, KEYS.iter().map(|key| key.name)).map_or_else(
        || "`harmonynet config --example` lists every key".into(),
        |near| format!("did you mean {near}?"),
    )
}

/// What was probably meant by a key of a file that doesn't exist, or by a whole table.
fn meant_in_file(name: &str, is_table: bool) -> String {
    let tables = TABLES.iter().map(|(table, _)| *table);
    let near = if is_table { nearest(name, tables) } else { None };
    near.map_or_else(|| meant(name), |table| format!("did you mean [{table}]?"))
}

/// Every setting with its effective value and where that came from.
#[derive(Clone, Debug)]
pub struct Settings {
    values: Vec<(Option<Value>, Origin)>,
    board: Board,
}

impl Settings {
    /// Lays the layers over each other, and the board's wishes and the defaults below them. `compatible` is what the
    /// device tree says that this machine is (see [`board::compatible`](super::board::compatible)).
    ///
    /// # Errors
    /// A shipped board or the list of parts is broken, which tests exclude.
    pub fn resolve(
        command_line: &Layer,
        environment: &Layer,
        file: &Layer,
        compatible: &[String],
    ) -> Result<Self, Problems> {
        let strong = [command_line, environment, file];
        let mut values: Vec<(Option<Value>, Origin)> = KEYS
            .iter()
            .enumerate()
            .map(|(index, key)| {
                strong.iter().find_map(|layer| layer.get(index)).map_or_else(
                    || (key.preset_value(), Origin::Default),
                    |(value, origin)| (Some(value.clone()), origin.clone()),
                )
            })
            .collect();
        let text = |values: &[(Option<Value>, Origin)], name: &str| match Key::position(name)
            .map(|i| &values[i].0)
        {
            Some(Some(Value::Text(text))) => text.clone(),
            _ => String::new(),
        };
        let board = Board::named_or_found(&text(&values, "board"), compatible)?;
        let wishes = board.wishes(
            Parts::shipped()?,
            &text(&values, "microphone.kind"),
            &text(&values, "display.kind"),
        );
        for (name, value, who) in wishes {
            let Some(index) = Key::position(name) else { continue };
            if values[index].1 == Origin::Default {
                values[index] = (Some(value), Origin::Board(who));
            }
        }
        Ok(Self { values, board })
    }

    /// The board that was named or found.
    #[must_use]
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Every key with its effective value, `None` where that is found out while running, and the value's origin.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Key, Option<&Value>, &Origin)> {
        KEYS.iter().zip(&self.values).map(|(key, (value, origin))| (key, value.as_ref(), origin))
    }

    /// The value of a key and where it came from.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<(Option<&Value>, &Origin)> {
        let index = Key::position(name)?;
        let (value, origin) = self.values.get(index)?;
        Some((value.as_ref(), origin))
    }

    /// The text of a key, where it has one.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)?.0? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number of a key, where it has one; addresses too.
    #[must_use]
    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.get(name)?.0? {
            Value::Integer(number) => Some(*number),
            Value::Address(address) => Some(i64::from(*address)),
            _ => None,
        }
    }

    /// The number of a key, where it has one.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        match self.get(name)?.0? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// Whether a key is true.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.get(name), Some((Some(Value::Flag(true)), _)))
    }

    /// The GPIO lines of a key.
    #[must_use]
    pub fn pins(&self, name: &str) -> &[u8] {
        match self.get(name) {
            Some((Some(Value::Pins(pins)), _)) => pins,
            _ => &[],
        }
    }

    /// The texts of a key.
    #[must_use]
    pub fn texts(&self, name: &str) -> &[String] {
        match self.get(name) {
            Some((Some(Value::Texts(texts)), _)) => texts,
            _ => &[],
        }
    }

    /// Something that is wrong with a key's value, told where the value came from.
    #[must_use]
    pub fn problem(&self, field: &str, wrong: String, mend: String) -> Problem {
        let (place, line) =
            self.get(field).map_or_else(|| ("settings".into(), None), |(_, origin)| origin.place());
        Problem { place, line, field: field.into(), wrong, mend }
    }
}
