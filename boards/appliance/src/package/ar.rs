//! The outermost shell of a Debian package: `ar`, as `deb(5)` has it. Its few members come one after the other, and none is read
//! into memory; libraries for it believe lengths of names and take that much memory.

use std::io::{self, Read, Take};

const MAGIC: &[u8] = b"!<arch>\n";
const HEADER: usize = 60;

/// The members of an archive, in their order.
pub(super) struct Members<R> {
    rest: Take<R>,
    /// Whether a byte of padding follows the member.
    is_odd: bool,
}

/// One member. What of it isn't read is passed over.
pub(super) struct Member<'a, R> {
    pub(super) name: String,
    pub(super) bytes: &'a mut Take<R>,
}

impl<R: Read> Members<R> {
    pub(super) fn new(mut archive: R) -> io::Result<Self> {
        let mut magic = [0; MAGIC.len()];
        archive.read_exact(&mut magic)?;
        if magic == MAGIC {
            Ok(Self { rest: archive.take(0), is_odd: false })
        } else {
            Err(broken("it is no archive"))
        }
    }

    /// The next member; none at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Member<'_, R>>> {
        io::copy(&mut self.rest, &mut io::sink())?;
        if self.rest.limit() > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.rest.set_limit(u64::from(self.is_odd) + HEADER as u64);
        let mut header = Vec::with_capacity(HEADER + 1);
        self.rest.read_to_end(&mut header)?;
        let header = header.get(usize::from(self.is_odd)..).unwrap_or(&[]);
        if header.is_empty() {
            return Ok(None);
        }
        let (Some(name), Some(length), Some(b"`\n")) =
            (header.get(..16), header.get(48..58), header.get(58..60))
        else {
            return Err(broken("a member has no header"));
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_string();
        let length: u64 = text(length).parse().map_err(|_| broken("a member has no length"))?;
        let name = text(name).trim_end_matches('/').chars().filter(|c| !c.is_control()).collect();
        self.is_odd = length % 2 == 1;
        self.rest.set_limit(length);
        Ok(Some(Member { name, bytes: &mut self.rest }))
    }
}

fn broken(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
