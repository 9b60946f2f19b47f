//! Where connections come in: the event socket and the ports.

use std::io::{Read as _, Write as _};

use mio::event::Source;
use mio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use mio::{Interest, Registry, Token};

#[cfg(feature = "page")]
use crate::tell::page::Page;
use crate::tell::socket::Place;

/// What the kernel keeps, at most, for someone who takes nothing; it doubles this. A page's stream has some 8 kB a second: what
/// is older than a few seconds is lost rather than shown late.
#[cfg(feature = "page")]
const SEND_BUFFER_BYTES: usize = 32 << 10;

/// What a server opens.
#[derive(Default)]
pub(in crate::tell) struct Doors {
    /// The event socket.
    pub(in crate::tell) socket: Option<(std::os::unix::net::UnixListener, Place)>,
    /// The port for metrics.
    pub(in crate::tell) metrics: Option<std::net::TcpListener>,
    /// The port for the page, and what is served there.
    #[cfg(feature = "page")]
    pub(in crate::tell) page: Option<(std::net::TcpListener, Page)>,
}

impl Doors {
    pub(in crate::tell) fn is_empty(&self) -> bool {
        #[cfg(feature = "page")]
        if self.page.is_some() {
            return false;
        }
        self.socket.is_none() && self.metrics.is_none()
    }
}

/// Which way a connection came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    Socket,
    Metrics,
    #[cfg(feature = "page")]
    Page,
}

/// Listens at a door.
pub(super) enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Listener {
    pub(super) fn unix(listener: std::os::unix::net::UnixListener) -> std::io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::Unix(UnixListener::from_std(listener)))
    }

    pub(super) fn tcp(listener: std::net::TcpListener) -> std::io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self::Tcp(TcpListener::from_std(listener)))
    }

    /// The same with little kept for each connection: those that are accepted inherit it.
    #[cfg(feature = "page")]
    pub(super) fn tcp_with_small_buffers(listener: std::net::TcpListener) -> std::io::Result<Self> {
        socket2::SockRef::from(&listener).set_send_buffer_size(SEND_BUFFER_BYTES)?;
        Self::tcp(listener)
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> std::io::Result<()> {
        let source: &mut dyn Source = match self {
            Self::Unix(listener) => listener,
            Self::Tcp(listener) => listener,
        };
        registry.register(source, token, Interest::READABLE)
    }

    pub(super) fn accept(&self) -> std::io::Result<Stream> {
        Ok(match self {
            Self::Unix(listener) => Stream::Unix(listener.accept()?.0),
            Self::Tcp(listener) => Stream::Tcp(listener.accept()?.0),
        })
    }
}

/// Either kind of stream.
#[derive(Debug)]
pub(super) enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Stream {
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> std::io::Result<()> {
        let source: &mut dyn Source = match self {
            Self::Unix(stream) => stream,
            Self::Tcp(stream) => stream,
        };
        registry.register(source, token, Interest::READABLE | Interest::WRITABLE)
    }

    pub(super) fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(into),
            Self::Tcp(stream) => stream.read(into),
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(bytes),
            Self::Tcp(stream) => stream.write(bytes),
        }
    }

    /// Nothing more will be sent.
    pub(super) fn end(&self) -> std::io::Result<()> {
        match self {
            Self::Unix(stream) => stream.shutdown(std::net::Shutdown::Write),
            Self::Tcp(stream) => stream.shutdown(std::net::Shutdown::Write),
        }
    }
}
