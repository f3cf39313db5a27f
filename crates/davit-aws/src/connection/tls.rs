//! Whom to trust. Knows no service.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};

use super::TransportError;

/// Trust in the certificates of a file, or in the system's.
pub(super) fn config(bundle: Option<&Path>, verify: bool) -> Result<ClientConfig, TransportError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| unreadable("the system", &error))?;
    if !verify {
        let anyone = Arc::new(Anyone(provider));
        return Ok(builder
            .dangerous()
            .with_custom_certificate_verifier(anyone)
            .with_no_client_auth());
    }
    let mut roots = RootCertStore::empty();
    match bundle {
        Some(path) => {
            let name = path.display().to_string();
            let found = CertificateDer::pem_file_iter(path).map_err(|it| unreadable(&name, &it))?;
            for certificate in found {
                let certificate = certificate.map_err(|it| unreadable(&name, &it))?;
                roots.add(certificate).map_err(|it| unreadable(&name, &it))?;
            }
            if roots.is_empty() {
                return Err(unreadable(&name, &"there is no certificate in it"));
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            let (added, _) = roots.add_parsable_certificates(found.certs);
            if added == 0 {
                let reason = found.errors.first().map_or_else(
                    || "none is installed (on Debian: apt install ca-certificates)".to_owned(),
                    ToString::to_string,
                );
                return Err(unreadable("the system's folders", &reason));
            }
        }
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn unreadable(path: &str, reason: &dyn std::fmt::Display) -> TransportError {
    TransportError::Certificates { path: path.to_owned(), reason: reason.to_string() }
}

/// Takes any certificate: what was asked for where certificates are not to be looked at.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
