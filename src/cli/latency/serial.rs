//! A serial port: bytes as they are, without echo or line ends. The only file that names `rustix::termios`.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::termios::{
    ControlModes, OptionalActions, SpecialCodeIndex, Termios, ioctl_tiocexcl, tcgetattr, tcsetattr,
};

/// An open port, which nobody else can open meanwhile.
pub(super) struct Port(File);

impl Port {
    pub(super) fn open(path: &Path) -> Result<Self> {
        // Not blocking: a line without a carrier would be waited for until it has one.
        let flags = OFlags::NOCTTY | OFlags::NONBLOCK;
        let port = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(flags.bits().cast_signed())
            .open(path)
            .map_err(|error| anyhow!("{}: {}", path.display(), mend(&error)))?;
        Self::set_up(&port).with_context(|| format!("{}: is it a serial port?", path.display()))?;
        Ok(Self(port))
    }

    fn set_up(port: &File) -> Result<()> {
        let mut settings: Termios = tcgetattr(port)?;
        settings.make_raw();
        settings.control_modes |= ControlModes::CLOCAL | ControlModes::CREAD;
        // A read returns with the first byte, or after a tenth of a second without any.
        settings.special_codes[SpecialCodeIndex::VMIN] = 0;
        settings.special_codes[SpecialCodeIndex::VTIME] = 1;
        tcsetattr(port, OptionalActions::Flush, &settings)?;
        fcntl_setfl(port, fcntl_getfl(port)? - OFlags::NONBLOCK)?;
        ioctl_tiocexcl(port)?;
        Ok(())
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.write_all(bytes).context("writing to the rig: is it still plugged in?")
    }

    /// The bytes that have come; none after a tenth of a second without any.
    pub(super) fn read<'a>(&mut self, bytes: &'a mut [u8]) -> Result<&'a [u8]> {
        let count = match self.0.read(bytes) {
            Err(error) if error.kind() == ErrorKind::Interrupted => 0,
            count => count.context("reading from the rig: is it still plugged in?")?,
        };
        Ok(&bytes[..count])
    }
}

/// What is wrong, and what mends it.
fn mend(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => {
            "no such port: plug the rig in, with its firmware on it (`make pico`), or name the \
                                port with --port; `ls /dev/serial/by-id` lists them"
                .into()
        }
        ErrorKind::PermissionDenied => {
            "no permission to open it: `sudo usermod -aG dialout $USER`, then log in again".into()
        }
        ErrorKind::ResourceBusy => "another program has it open: end that one first".into(),
        _ => error.to_string(),
    }
}
