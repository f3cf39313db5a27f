//! Encryption: whom to trust, how to show who one is, and what to say when it fails.
//!
//! It does not know HTTP.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use davit_module::errno_text;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct,
    Error, InvalidMessage, RootCertStore, SignatureScheme, StreamOwned,
};

use super::net::Stream;
use super::{Failure, ciphers};

/// Where systems keep the certificates that they trust, in one file.
const FILES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/var/lib/ca-certificates/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/etc/pki/tls/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
];

/// What the user says about encryption.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trust {
    /// Whether the other side must show who it is.
    pub(crate) validate: bool,
    /// The certificates to trust in place of the system's.
    pub(crate) authorities: Option<PathBuf>,
    /// Our own certificate, and the key where it is not in the same file.
    pub(crate) own: Option<(PathBuf, Option<PathBuf>)>,
    /// Ciphers in OpenSSL's words.
    pub(crate) ciphers: Vec<String>,
    /// The host's `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    pub(crate) system: (Option<PathBuf>, Option<PathBuf>),
}

impl Trust {
    /// How to talk to a server.
    ///
    /// # Errors
    /// Where a file cannot be read or holds nothing of use.
    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, Failure> {
        let mut provider = rustls::crypto::ring::default_provider();
        if !self.ciphers.is_empty() {
            provider.cipher_suites = ciphers::choose(&provider.cipher_suites, &self.ciphers)
                .ok_or_else(|| Failure::Connection("('No cipher can be selected.',)".to_owned()))?;
        }
        let provider = Arc::new(provider);
        let unusable = |err: Error| Failure::Connection(err.to_string());
        let verifier = Arc::new(Verifier::new(self, &provider)?);
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let config = match &self.own {
            Some((certificate, key)) => {
                let chain = certificates(certificate)?;
                let key =
                    PrivateKeyDer::from_pem_slice(&read(key.as_ref().unwrap_or(certificate))?)
                        .map_err(|_| Failure::Connection("[SSL] PEM lib".to_owned()))?;
                builder.with_client_auth_cert(chain, key).map_err(unusable)?
            }
            None => builder.with_no_client_auth(),
        };
        Ok(Arc::new(config))
    }

    /// The certificates to trust.
    fn roots(&self) -> Result<Vec<CertificateDer<'static>>, Failure> {
        if let Some(path) = &self.authorities {
            return certificates(path);
        }
        let (file, folder) = &self.system;
        let mut found = Vec::new();
        if let Some(folder) = folder {
            found.extend(all_in(folder));
        }
        if let Some(file) = file {
            found.extend(certificates(file).unwrap_or_default());
        } else if folder.is_none() {
            let usual = FILES.iter().find_map(|it| certificates(Path::new(it)).ok());
            found.extend(usual.unwrap_or_else(|| all_in(Path::new("/etc/ssl/certs"))));
        }
        Ok(found)
    }
}

/// The certificates in the files of a folder.
fn all_in(folder: &Path) -> Vec<CertificateDer<'static>> {
    let items = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    items.filter_map(|it| certificates(&it.path()).ok()).flatten().collect()
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|err| Failure::Connection(errno_text(&err)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let bytes = read(path)?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&bytes).filter_map(Result::ok).collect();
    if found.is_empty() {
        let why = "[X509: NO_CERTIFICATE_OR_CRL_FOUND] no certificate or crl found";
        return Err(Failure::Connection(why.to_owned()));
    }
    Ok(found)
}

/// Decides whether a server is who it says.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    /// `None` = anybody will do.
    chains: Option<Chains>,
}

#[derive(Debug)]
struct Chains {
    roots: Vec<CertificateDer<'static>>,
    /// `None` where nothing is trusted.
    verifier: Option<Arc<WebPkiServerVerifier>>,
}

impl Verifier {
    fn new(trust: &Trust, provider: &Arc<CryptoProvider>) -> Result<Self, Failure> {
        let provider = Arc::clone(provider);
        // A file that was named must be of use even where nothing is checked.
        let roots = match (trust.validate, &trust.authorities) {
            (false, None) => Vec::new(),
            _ => trust.roots()?,
        };
        if !trust.validate {
            return Ok(Self { provider, chains: None });
        }
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots.iter().cloned());
        let builder =
            WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(&provider));
        // It refuses to be built of nothing: then nobody is trusted.
        let chains = Chains { roots, verifier: builder.build().ok() };
        Ok(Self { provider, chains: Some(chains) })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chains) = &self.chains else { return Ok(ServerCertVerified::assertion()) };
        let Some(verifier) = &chains.verifier else {
            return Err(Error::InvalidCertificate(CertificateError::UnknownIssuer));
        };
        match verifier.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            // A certificate that signed itself, and that the user trusts as it is. Its dates have
            // been looked at by then, its name has not.
            Err(Error::InvalidCertificate(CertificateError::Other(_)))
                if chains.roots.iter().any(|it| it == certificate) =>
            {
                let parsed = ParsedCertificate::try_from(certificate)?;
                rustls::client::verify_server_name(&parsed, name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Encrypts what goes over `stream`, once the other side has shown who it is.
///
/// # Errors
/// Where they do not come to terms.
pub(super) fn wrap(
    mut stream: Stream,
    host: &str,
    config: &Arc<ClientConfig>,
) -> Result<StreamOwned<ClientConnection, Stream>, Failure> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Failure::Request(format!("'{host}' is no name of a server")))?;
    let mut connection = ClientConnection::new(Arc::clone(config), name)
        .map_err(|err| Failure::Request(err.to_string()))?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).map_err(|err| handshake(&err, host))?;
    }
    Ok(StreamOwned::new(connection, stream))
}

fn handshake(err: &io::Error, host: &str) -> Failure {
    match super::message::broken(err) {
        Failure::Stopped => Failure::Stopped,
        _ if err.kind() == io::ErrorKind::TimedOut => {
            Failure::Request("_ssl.c: The handshake operation timed out".to_owned())
        }
        _ if err.kind() == io::ErrorKind::UnexpectedEof => {
            let why = "[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol";
            Failure::Request(why.to_owned())
        }
        _ => Failure::Request(match certificate_reason(err, host) {
            Some(why) => {
                format!("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {why}")
            }
            None => reason(err).unwrap_or_else(|| errno_text(err)),
        }),
    }
}

/// What is wrong with the server's certificate, in OpenSSL's words.
fn certificate_reason(err: &io::Error, host: &str) -> Option<String> {
    let Some(Error::InvalidCertificate(why)) = tls_error(err) else { return None };
    Some(match why {
        CertificateError::UnknownIssuer => "unable to get local issuer certificate".to_owned(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "certificate is not yet valid".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let kind =
                if host.parse::<std::net::IpAddr>().is_ok() { "IP address" } else { "Hostname" };
            format!("{kind} mismatch, certificate is not valid for '{host}'.")
        }
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "self-signed certificate".to_owned()
        }
        other => other.to_string(),
    })
}

fn tls_error(err: &io::Error) -> Option<&Error> {
    err.get_ref()?.downcast_ref::<Error>()
}

/// What is said of a failure that encryption has to do with; `None` = it has not.
pub(super) fn reason(err: &io::Error) -> Option<String> {
    Some(match tls_error(err)? {
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "[SSL: WRONG_VERSION_NUMBER] wrong version number".to_owned()
        }
        Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired => {
                "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required".into()
            }
            AlertDescription::HandshakeFailure => {
                "[SSL: SSLV3_ALERT_HANDSHAKE_FAILURE] sslv3 alert handshake failure".into()
            }
            AlertDescription::ProtocolVersion => {
                "[SSL: TLSV1_ALERT_PROTOCOL_VERSION] tlsv1 alert protocol version".into()
            }
            AlertDescription::UnknownCA => {
                "[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca".into()
            }
            other => format!("[SSL] the server refuses: {other:?}"),
        },
        other => format!("[SSL] {other}"),
    })
}
