//! The kernel's route socket: addresses and routes, without starting `ip`.
//!
//! Source: rtnetlink(7). It knows nothing of facts.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto,
    setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_LABEL: u16 = 3;
const IFA_BROADCAST: u16 = 4;
const IFA_F_SECONDARY: u8 = 1;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PREFSRC: u16 = 7;
const RT_TABLE_LOCAL: u8 = 255;
const RTN_LOCAL: u8 = 2;
/// The length of a message's head.
const HEAD: usize = 16;

/// An address of an interface.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Address {
    /// The interface's number.
    pub(crate) index: u32,
    pub(crate) ip: IpAddr,
    pub(crate) prefix: u8,
    pub(crate) broadcast: Option<IpAddr>,
    /// The interface's name, or an alias of it.
    pub(crate) label: Option<String>,
    pub(crate) secondary: bool,
    /// As the kernel numbers scopes: 0 global, 200 site, 253 link, 254 host.
    pub(crate) scope: u8,
}

/// Where packets to some address go.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Route {
    pub(crate) interface: Option<u32>,
    pub(crate) gateway: Option<IpAddr>,
    pub(crate) source: Option<IpAddr>,
}

/// All addresses of all interfaces, in the kernel's order.
pub(crate) fn addresses() -> io::Result<Vec<Address>> {
    let mut found = Vec::new();
    ask(RTM_GETADDR, NLM_F_DUMP, &[0; 8], |kind, body| {
        if kind == RTM_NEWADDR {
            found.extend(address(body));
        }
    })?;
    Ok(found)
}

/// Where packets to `to` would go; `None` where nowhere.
pub(crate) fn route(to: IpAddr) -> Option<Route> {
    let bytes = octets(to);
    let mut body = vec![family(to), u8::try_from(bytes.len() * 8).ok()?, 0, 0, 0, 0, 0, 0];
    body.extend([0; 4]);
    push_attribute(&mut body, RTA_DST, &bytes);
    let mut found = None;
    let asked = ask(RTM_GETROUTE, 0, &body, |kind, body| {
        if kind == RTM_NEWROUTE && found.is_none() {
            found = body.get(12..).map(|attributes| {
                let mut route = Route::default();
                for (kind, value) in Attributes(attributes) {
                    match kind {
                        RTA_OIF => route.interface = number(value),
                        RTA_GATEWAY => route.gateway = ip(value),
                        RTA_PREFSRC => route.source = ip(value),
                        _ => {}
                    }
                }
                route
            });
        }
    });
    asked.ok().and(found)
}

/// The addresses and prefixes that reach this host itself, of the family of `like`.
pub(crate) fn local(like: IpAddr) -> Vec<String> {
    let mut body = vec![family(like), 0, 0, 0, RT_TABLE_LOCAL, 0, 0, 0];
    body.extend([0; 4]);
    let mut found = Vec::new();
    let full = octets(like).len() * 8;
    let asked = ask(RTM_GETROUTE, NLM_F_DUMP, &body, |kind, body| {
        let [_, length, _, _, table, _, _, route_kind, ..] = body else { return };
        if kind != RTM_NEWROUTE || *table != RT_TABLE_LOCAL || *route_kind != RTN_LOCAL {
            return;
        }
        let attributes = Attributes(body.get(12..).unwrap_or_default());
        let to = attributes.filter(|(kind, _)| *kind == RTA_DST).find_map(|(_, it)| ip(it));
        if let Some(to) = to {
            let is_full = usize::from(*length) == full;
            found.push(if is_full { to.to_string() } else { format!("{to}/{length}") });
        }
    });
    if asked.is_err() {
        found.clear();
    }
    found
}

fn address(body: &[u8]) -> Option<Address> {
    let [_, prefix, flags, scope, index @ ..] = body.get(..8)? else { return None };
    let index = number(index)?;
    let (mut own, mut peer, mut broadcast, mut label) = (None, None, None, None);
    for (kind, value) in Attributes(body.get(8..)?) {
        match kind {
            IFA_LOCAL => own = ip(value),
            IFA_ADDRESS => peer = ip(value),
            IFA_BROADCAST => broadcast = ip(value),
            IFA_LABEL => {
                let text = value.split(|it| *it == 0).next().unwrap_or_default();
                label = Some(String::from_utf8_lossy(text).into_owned());
            }
            _ => {}
        }
    }
    Some(Address {
        index,
        ip: own.or(peer)?,
        prefix: *prefix,
        broadcast,
        label,
        secondary: flags & IFA_F_SECONDARY != 0,
        scope: *scope,
    })
}

/// Sends one question and hands on each message of the answer: its kind and its body.
fn ask(kind: u16, flags: u16, body: &[u8], mut each: impl FnMut(u16, &[u8])) -> io::Result<()> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    // The kernel answers at once or never.
    setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::seconds(2))?;
    let length = u32::try_from(HEAD + body.len()).map_err(io::Error::other)?;
    let mut message = Vec::with_capacity(HEAD + body.len());
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend((NLM_F_REQUEST | flags).to_ne_bytes());
    message.extend(1u32.to_ne_bytes());
    message.extend(0u32.to_ne_bytes());
    message.extend(body);
    sendto(socket.as_raw_fd(), &message, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
    let is_dump = flags & NLM_F_DUMP != 0;
    receive(&socket, is_dump, &mut each)
}

fn receive(socket: &OwnedFd, is_dump: bool, each: &mut impl FnMut(u16, &[u8])) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        let mut rest = buffer.get(..count).unwrap_or_default();
        if rest.is_empty() {
            return Ok(());
        }
        while let Some(head) = rest.get(..HEAD) {
            let length = number(head).and_then(|it| usize::try_from(it).ok()).unwrap_or(0);
            let kind = u16::from_ne_bytes([head[4], head[5]]);
            let Some(body) = rest.get(HEAD..length) else { return Ok(()) };
            match kind {
                NLMSG_DONE => return Ok(()),
                NLMSG_ERROR => {
                    let code = number(body).unwrap_or(0).cast_signed();
                    return Err(io::Error::from_raw_os_error(code.saturating_neg()));
                }
                _ => each(kind, body),
            }
            rest = rest.get(aligned(length)..).unwrap_or_default();
        }
        if !is_dump {
            return Ok(());
        }
    }
}

/// The attributes of a message: kind and value.
struct Attributes<'a>(&'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let [length0, length1, kind0, kind1, ..] = *self.0 else { return None };
        let length = usize::from(u16::from_ne_bytes([length0, length1]));
        let value = self.0.get(4..length)?;
        self.0 = self.0.get(aligned(length)..).unwrap_or_default();
        // The two highest bits say how the value is written.
        Some((u16::from_ne_bytes([kind0, kind1]) & 0x3fff, value))
    }
}

fn push_attribute(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(4 + value.len()).unwrap_or(4);
    body.extend(length.to_ne_bytes());
    body.extend(kind.to_ne_bytes());
    body.extend(value);
    body.resize(aligned(body.len()), 0);
}

fn aligned(length: usize) -> usize {
    length.saturating_add(3) & !3
}

fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?))
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(IpAddr::from(four));
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn family(ip: IpAddr) -> u8 {
    let family = if ip.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    u8::try_from(family as i32).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_that_are_cut_off_end_the_list() {
        let mut body = Vec::new();
        push_attribute(&mut body, 7, &[1, 2, 3, 4]);
        push_attribute(&mut body, 9, &[5]);
        let all: Vec<_> = Attributes(&body).collect();
        assert_eq!(all, [(7, &[1u8, 2, 3, 4][..]), (9, &[5u8][..])]);
        assert_eq!(Attributes(&body[..6]).count(), 0);
        assert_eq!(Attributes(&[0, 0, 0, 0]).count(), 0);
    }

    #[test]
    fn this_host_reaches_itself() {
        assert!(local(IpAddr::from([0, 0, 0, 0])).iter().any(|it| it.starts_with("127.0.0")));
        assert!(addresses().unwrap().iter().any(|it| it.ip.is_loopback()));
    }
}
