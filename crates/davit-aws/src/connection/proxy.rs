//! Which proxy a connection goes through, and how. Reads no environment.

use std::{
    error::Error,
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use base64::Engine as _;
use hyper::{
    Uri,
    header::HeaderValue,
    rt::{Read, ReadBufCursor, Write},
};
use hyper_util::{
    client::legacy::connect::{Connected, Connection, HttpConnector, proxy::Tunnel},
    rt::TokioIo,
};
use tokio::net::TcpStream;
use tower_service::Service;

use crate::config::Proxies;

/// Makes connections, through a proxy where one is to be gone through.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    tcp: HttpConnector,
    proxies: Proxies,
    limit: Duration,
}

type Boxed = Box<dyn Error + Send + Sync>;

impl Connector {
    /// Connections by `tcp`, within `limit` where a proxy has to answer first.
    pub(super) const fn new(tcp: HttpConnector, proxies: Proxies, limit: Duration) -> Self {
        Self { tcp, proxies, limit }
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = Boxed;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, Boxed>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Boxed>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let mut tcp = self.tcp.clone();
        let limit = self.limit;
        // With its port, which exceptions may name.
        let host = to.authority().map_or("", |it| it.as_str());
        let proxy = self.proxies.of_host(to.scheme_str().unwrap_or("https"), host);
        let Some(proxy) = proxy else {
            let connecting = tcp.call(to);
            return Box::pin(
                async move { Ok(Stream { inner: connecting.await?, by_proxy: false }) },
            );
        };
        let proxy = read(proxy);
        Box::pin(async move {
            let (address, auth) = proxy?;
            if to.scheme_str() == Some("https") {
                let mut tunnel = Tunnel::new(address, tcp);
                if let Some(auth) = auth {
                    tunnel = tunnel.with_auth(auth);
                }
                let through = tokio::time::timeout(limit, tunnel.call(to)).await;
                let through = through.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
                let inner = through.map_err(|error| told(error.into()))?;
                return Ok(Stream { inner, by_proxy: false });
            }
            let inner = tcp.call(address).await?;
            Ok(Stream { inner, by_proxy: true })
        })
    }
}

/// Why there is no tunnel. The library has one word for any answer that is no yes.
fn told(error: Boxed) -> Boxed {
    if error.to_string().ends_with("unsuccessful") {
        "the proxy refuses to connect there".into()
    } else {
        error
    }
}

/// The address of the proxy for a host, without what it is told about who asks.
pub(super) fn address(proxies: &Proxies, scheme: &str, host: &str) -> Option<String> {
    let (address, _) = read(proxies.of_host(scheme, host)?).ok()?;
    address.authority().map(ToString::to_string)
}

/// What the proxy for a host is told about who asks, where it is handed the request itself. A tunnel
/// tells it on its own.
pub(super) fn login(proxies: &Proxies, host: &str) -> Option<HeaderValue> {
    read(proxies.of_host("http", host)?).ok()?.1
}

/// The address of a proxy and what it is told about who asks.
fn read(proxy: &str) -> Result<(Uri, Option<HeaderValue>), Boxed> {
    let with_scheme =
        if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") };
    let (scheme, rest) = with_scheme.split_once("://").unwrap_or(("http", &with_scheme));
    if scheme != "http" {
        return Err(format!("a proxy is spoken to over http, not {scheme}").into());
    }
    let (authority, _) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, host) = match authority.rsplit_once('@') {
        Some((login, host)) => (Some(login), host),
        None => (None, authority),
    };
    let auth = login.map(|login| {
        let plain = percent_encoding::percent_decode_str(login).decode_utf8_lossy();
        let token = base64::engine::general_purpose::STANDARD.encode(plain.as_bytes());
        HeaderValue::from_str(&format!("Basic {token}"))
    });
    let mut auth = auth.transpose()?;
    if let Some(auth) = &mut auth {
        auth.set_sensitive(true);
    }
    let host = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    // The address that errors show has no password in it.
    let address = Uri::builder().scheme("http").authority(host).path_and_query("/").build()?;
    Ok((address, auth))
}

/// A connection to a service or to a proxy that fetches what it is asked for.
pub(super) struct Stream {
    inner: TokioIo<TcpStream>,
    by_proxy: bool,
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        self.inner.connected().proxy(self.by_proxy)
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, pieces)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_proxies_are_not_in_their_address() {
        let (address, auth) = read("http://user:p%40ss@proxy:3128/").expect("readable");
        assert_eq!(address.to_string(), "http://proxy:3128/");
        assert_eq!(auth.expect("some"), "Basic dXNlcjpwQHNz");
        assert_eq!(read("proxy").expect("readable").0.to_string(), "http://proxy:80/");
        assert!(read("socks5://proxy").is_err());
    }
}
