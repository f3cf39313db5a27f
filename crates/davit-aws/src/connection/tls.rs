//! Whom to trust. Knows no service.

use std::{path::Path, sync::Arc};

use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{
        CertificateDer, ServerName, UnixTime,
        pem::{self, PemObject},
    },
    server::ParsedCertificate,
};

use super::TransportError;

/// Trust in the certificates of a file, or in the system's.
pub(super) fn config(bundle: Option<&Path>, verify: bool) -> Result<ClientConfig, TransportError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| unreadable("the system", &error))?;
    if !verify {
        let anyone = Arc::new(Verifier { provider, named: None });
        return Ok(builder
            .dangerous()
            .with_custom_certificate_verifier(anyone)
            .with_no_client_auth());
    }
    let mut roots = RootCertStore::empty();
    let Some(path) = bundle else {
        let found = rustls_native_certs::load_native_certs();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            let reason = found.errors.first().map_or_else(
                || "none is installed (on Debian: apt install ca-certificates)".to_owned(),
                ToString::to_string,
            );
            return Err(unreadable("the system's folders", &reason));
        }
        return Ok(builder.with_root_certificates(roots).with_no_client_auth());
    };
    let name = path.display().to_string();
    let mut named = Vec::new();
    for certificate in
        CertificateDer::pem_file_iter(path).map_err(|it| unreadable(&name, &reason(&it)))?
    {
        let certificate = certificate.map_err(|it| unreadable(&name, &reason(&it)))?;
        roots.add(certificate.clone()).map_err(|it| unreadable(&name, &it))?;
        named.push(certificate);
    }
    if named.is_empty() {
        return Err(unreadable(&name, &"there is no certificate in it"));
    }
    let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|it| unreadable(&name, &it))?;
    let verifier = Arc::new(Verifier { provider, named: Some(Named { inner, named }) });
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// What is wrong with a file, without the words that a reader of it has around that.
fn reason(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

fn unreadable(path: &str, reason: &dyn std::fmt::Display) -> TransportError {
    TransportError::Certificates { path: path.to_owned(), reason: reason.to_string() }
}

/// Trusts in the certificates of a file, and in one that stands in it itself: many that are signed by
/// themselves are made as if they were to sign others, and so could not be a server's.
#[derive(Debug)]
struct Named {
    inner: Arc<WebPkiServerVerifier>,
    named: Vec<CertificateDer<'static>>,
}

/// Trusts whom it is told to.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    /// Without it any certificate is taken: what was asked for where certificates are not to be looked at.
    named: Option<Named>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(Named { inner, named }) = &self.named else {
            return Ok(ServerCertVerified::assertion());
        };
        match inner.verify_server_cert(certificate, others, name, stapled, now) {
            // rustls gives this for one that may sign others, after it has looked at the dates.
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(_)))
                if named.iter().any(|it| it == certificate) =>
            {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            outcome => outcome,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
