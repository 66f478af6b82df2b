//! TLS: the machine's certificates, so that an operator's own authority counts; where the machine
//! has none, Mozilla's. Besides them, the authorities of a file that the operator names.

use std::io;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

/// Authorities that are trusted besides the machine's.
#[derive(Clone, Default)]
pub struct Authorities(Vec<CertificateDer<'static>>);

impl std::fmt::Debug for Authorities {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Authorities").field(&self.0.len()).finish()
    }
}

/// A file of authorities that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidAuthorities {
    /// No certificate is in it.
    #[error("the file holds no certificate in PEM")]
    Empty,
    /// One of its certificates can't be read.
    #[error("certificate {place} of the file can't be read")]
    Certificate {
        /// Which one, from 1.
        place: usize,
    },
}

impl Authorities {
    /// All certificates of a PEM file.
    ///
    /// # Errors
    /// [`InvalidAuthorities`] when there is none, or one can't be read.
    pub fn from_pem(pem: &[u8]) -> Result<Self, InvalidAuthorities> {
        let mut certificates = Vec::new();
        for found in CertificateDer::pem_slice_iter(pem) {
            let place = certificates.len() + 1;
            let unreadable = InvalidAuthorities::Certificate { place };
            let Ok(certificate) = found else {
                return Err(unreadable);
            };
            if RootCertStore::empty().add(certificate.clone()).is_err() {
                return Err(unreadable);
            }
            certificates.push(certificate);
        }
        if certificates.is_empty() {
            return Err(InvalidAuthorities::Empty);
        }
        Ok(Self(certificates))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whom a client trusts. The connector is made at the first use of https: reading the machine's
/// certificates takes a moment.
#[derive(Default)]
pub(crate) struct Tls {
    authorities: Authorities,
    connector: OnceLock<TlsConnector>,
}

impl Tls {
    pub(crate) fn trusting(authorities: Authorities) -> Self {
        Self {
            authorities,
            connector: OnceLock::new(),
        }
    }

    pub(crate) fn connector(&self) -> io::Result<&TlsConnector> {
        if let Some(connector) = self.connector.get() {
            return Ok(connector);
        }
        let made = made(&self.authorities).map_err(io::Error::other)?;
        Ok(self.connector.get_or_init(|| made))
    }
}

fn made(authorities: &Authorities) -> Result<TlsConnector, rustls::Error> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots.add_parsable_certificates(authorities.0.iter().cloned());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Why there is no TLS connection, for whoever reads the delivery log.
pub(crate) fn why(error: &io::Error) -> String {
    use CertificateError as Wrong;
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    let Some(rustls::Error::InvalidCertificate(wrong)) = cause else {
        return error.to_string();
    };
    match wrong {
        // The second: one that calls itself like a trusted one.
        Wrong::UnknownIssuer | Wrong::BadSignature => {
            "the certificate is from an authority that this server does not trust".to_owned()
        }
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => {
            "the certificate is for another host".to_owned()
        }
        Wrong::Expired | Wrong::ExpiredContext { .. } => "the certificate has expired".to_owned(),
        other => format!("the certificate can't be used: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_authorities_holds_certificates_that_can_be_read() {
        let wrong = |pem: &str| {
            Authorities::from_pem(pem.as_bytes())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(wrong(""), "the file holds no certificate in PEM");
        assert_eq!(wrong("hello"), "the file holds no certificate in PEM");
        let rubbish = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(wrong(rubbish), "certificate 1 of the file can't be read");
        let cut = "-----BEGIN CERTIFICATE-----\nAAAA\n";
        assert_eq!(wrong(cut), "certificate 1 of the file can't be read");
    }

    #[test]
    fn other_failures_keep_their_words() {
        let refused = io::Error::from(io::ErrorKind::ConnectionReset);
        assert_eq!(why(&refused), refused.to_string());
        let expired = rustls::Error::InvalidCertificate(CertificateError::Expired);
        assert_eq!(
            why(&io::Error::other(expired)),
            "the certificate has expired"
        );
        let revoked = rustls::Error::InvalidCertificate(CertificateError::Revoked);
        let why = why(&io::Error::other(revoked));
        assert!(why.starts_with("the certificate can't be used: "), "{why}");
    }
}
