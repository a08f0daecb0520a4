//! Loopback ports that nobody else takes between the moment they are chosen and the moment a
//! component binds them, nor while that component restarts.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result};

/// The range searched. It ends below the ports that Linux (32768) and macOS (49152) give to
/// outgoing connections: one of those could take a port while its server restarts, or, on
/// loopback, connect to itself.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A TCP port on 127.0.0.1, reserved among all processes that use this module.
///
/// The reservation is the UDP port of the same number, which no component uses: the system gives
/// it to one process only and takes it back when that process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    _reservation: UdpSocket,
}

impl Port {
    /// Reserves a port that nothing listens on.
    pub(crate) fn reserve() -> Result<Self> {
        // Processes start at different places, so that they seldom try the same port.
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let offset = u16::try_from(std::process::id().wrapping_mul(97) % u32::from(COUNT))
            .context("an offset below the count")?;
        (0..COUNT)
            .find_map(|_| {
                let step = NEXT.fetch_add(1, Ordering::Relaxed);
                let number = FIRST + (offset.wrapping_add(step)) % COUNT;
                let reservation = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
                TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
                Some(Self { number, _reservation: reservation })
            })
            .context("no free port on 127.0.0.1")
    }

    /// The port's number.
    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_port_is_not_given_twice() {
        let ports: Vec<_> = (0..50).map(|_| Port::reserve().unwrap()).collect();
        let mut numbers: Vec<_> = ports.iter().map(Port::number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 50);
    }

    #[test]
    fn a_port_that_somebody_listens_on_is_passed_over() {
        let port = Port::reserve().unwrap();
        let number = port.number();
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, number)).unwrap();
        drop(port);
        assert!((0..COUNT / 100).all(|_| Port::reserve().unwrap().number() != number));
    }
}
