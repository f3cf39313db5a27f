//! The kernel's TCP connections, by `/proc/net/tcp` and `/proc/net/tcp6`.

use std::fs;
use std::net::{IpAddr, SocketAddr};

/// The states' names, in the order of their numbers from 1 on.
const STATES: [&str; 11] = [
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
];

/// One connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Connection {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    /// As the kernel numbers states.
    pub(crate) state: u8,
}

/// The number of a state.
pub(crate) fn state_number(name: &str) -> Option<u8> {
    let at = STATES.iter().position(|it| *it == name)?;
    u8::try_from(at + 1).ok()
}

/// All connections that there are.
pub(crate) fn all() -> Vec<Connection> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .flat_map(|it| parse(&fs::read_to_string(it).unwrap_or_default()))
        .collect()
}

fn parse(text: &str) -> Vec<Connection> {
    let line = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, remote) = (address(fields.next()?)?, address(fields.next()?)?);
        let state = u8::from_str_radix(fields.next()?, 16).ok()?;
        Some(Connection { local, remote, state })
    };
    text.lines().filter_map(line).collect()
}

/// An address as the kernel writes it: words of 32 bits in the machine's order, and the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| Some(u32::from_str_radix(ip.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    let ip = match ip.len() {
        8 => IpAddr::from(word(0)?),
        32 => {
            let mut bytes = [0; 16];
            for (index, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(index * 8)?);
            }
            IpAddr::from(bytes)
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn lines_of_the_kernel_are_read() {
        let text =
            "  sl  local_address rem_address   st\n   0: 0100007F:0016 0200007F:1F90 01 0:0\n";
        let found = parse(text);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].local, "127.0.0.1:22".parse().unwrap());
        assert_eq!(found[0].remote, "127.0.0.2:8080".parse().unwrap());
        assert_eq!(found[0].state, 1);
        assert_eq!(state_number("TIME_WAIT"), Some(6));
        assert_eq!(parse("rubbish\n1: 2 3 4\n"), []);
    }
}
