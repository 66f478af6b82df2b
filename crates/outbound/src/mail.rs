//! Mail, given to the operator's mail server.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use lettre::message::header::{ContentTransferEncoding, ContentType};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::{AsyncSmtpTransportBuilder, PoolConfig};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use url::{Host, Url};

/// How long one answer of the mail server may take.
const TIME_MAX: Duration = Duration::from_secs(30);

/// Connections that one process keeps open at most.
const CONNECTIONS_MAX: u32 = 4;

/// The longest answer of a mail server that is kept, in characters.
const ANSWER_MAX: usize = 500;

/// A mail server. Holds a password: prints without it.
#[derive(Clone)]
pub struct Smtp {
    url: Url,
    from: Mailbox,
    authority: Option<Vec<u8>>,
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

/// A mail server that can't be used as it was given.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSmtp {
    /// No address of a mail server.
    #[error("use smtp://[user:password@]host[:port] or smtps://[user:password@]host[:port]")]
    Url,
    /// No sender.
    #[error("\"{0}\" is no sender such as Headshot <no-reply@acme.com>")]
    From(String),
    /// The certificate can't be read.
    #[error("the certificate authority's file holds no certificate")]
    Authority,
}

impl Smtp {
    /// A mail server at `smtp://` (which must offer STARTTLS, except on this machine) or `smtps://`,
    /// and who sends. `authority` is a PEM file that is trusted besides the machine's.
    ///
    /// # Errors
    /// [`InvalidSmtp`], saying what can't be used.
    pub fn new(url: &str, from: &str, authority: Option<Vec<u8>>) -> Result<Self, InvalidSmtp> {
        let url = Url::parse(url).map_err(|_unreadable| InvalidSmtp::Url)?;
        let known = matches!(url.scheme(), "smtp" | "smtps");
        let plain = matches!(url.path(), "" | "/") && url.query().is_none();
        if !known || !plain || url.host_str().is_none_or(str::is_empty) {
            return Err(InvalidSmtp::Url);
        }
        let mailbox = from.parse::<Mailbox>();
        let smtp = Self {
            from: mailbox.map_err(|_unreadable| InvalidSmtp::From(from.to_owned()))?,
            url,
            authority,
        };
        smtp.tls()?;
        Ok(smtp)
    }

    /// The address without the password.
    pub fn shown(&self) -> String {
        let mut url = self.url.clone();
        if url.password().is_some() {
            // Such an address has a host, so this can't fail.
            let _set = url.set_password(Some("***"));
        }
        url.to_string()
    }

    /// Who sends.
    pub fn sender(&self) -> String {
        self.from.to_string()
    }

    /// Whether an authority is trusted besides the machine's.
    pub fn has_authority(&self) -> bool {
        self.authority.is_some()
    }

    /// The host as it is connected to: an IPv6 address without its brackets.
    fn host(&self) -> &str {
        let host = self.url.host_str().unwrap_or_default();
        let address = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        address.unwrap_or(host)
    }

    fn is_here(&self) -> bool {
        let loopback = |address: IpAddr| address.is_loopback();
        self.host() == "localhost" || self.host().parse().is_ok_and(loopback)
    }

    fn tls(&self) -> Result<Tls, InvalidSmtp> {
        let implicit = self.url.scheme() == "smtps";
        if !implicit && self.is_here() && self.authority.is_none() {
            return Ok(Tls::None);
        }
        let mut parameters = TlsParameters::builder(self.host().to_owned());
        if let Some(pem) = &self.authority {
            // The mail library takes a file without any certificate as one with none to add.
            CertificateDer::from_pem_slice(pem).map_err(|_none| InvalidSmtp::Authority)?;
            let authority = Certificate::from_pem(pem).map_err(|_bad| InvalidSmtp::Authority)?;
            parameters = parameters.add_root_certificate(authority);
        }
        let parameters = parameters.build().map_err(|_bad| InvalidSmtp::Authority)?;
        Ok(if implicit {
            Tls::Wrapper(parameters)
        } else {
            Tls::Required(parameters)
        })
    }

    /// What sends over it; keeps a few connections open.
    ///
    /// # Errors
    /// [`InvalidSmtp`] when its certificate authority can't be used.
    pub fn mailer(&self) -> Result<Mailer, InvalidSmtp> {
        let port = match (self.url.port(), self.url.scheme()) {
            (Some(port), _) => port,
            (None, "smtps") => 465,
            (None, _) if self.is_here() => 25,
            (None, _) => 587,
        };
        let mut builder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(self.host().to_owned())
                .port(port)
                .tls(self.tls()?)
                .timeout(Some(TIME_MAX))
                .pool_config(PoolConfig::new().max_size(CONNECTIONS_MAX));
        if !self.url.username().is_empty() {
            let decoded = |text: &str| percent_decoded(text).unwrap_or_else(|| text.to_owned());
            let password = decoded(self.url.password().unwrap_or_default());
            let user = decoded(self.url.username());
            builder = builder.credentials(Credentials::new(user, password));
        }
        Ok(Mailer {
            transport: builder.clone().build(),
            builder,
            from: self.from.clone(),
        })
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    let pair = format!("a={}", text.replace('+', "%2B"));
    let decoded = url::form_urlencoded::parse(pair.as_bytes()).next();
    decoded.map(|(_, value)| value.into_owned())
}

/// A mail to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Letter<'a> {
    /// The same for every try of one mail, so that receivers see that it is one.
    pub id: &'a str,
    /// To whom.
    pub to: &'a str,
    /// The subject; line breaks can't get out of it.
    pub subject: &'a str,
    /// The text part.
    pub text: &'a str,
    /// The HTML part.
    pub html: &'a str,
}

/// Why a mail was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// For good: the mail server refuses the recipient or the mail.
    #[error("{0}")]
    Refused(String),
    /// For now.
    #[error("{0}")]
    Later(String),
}

/// Sends mails.
#[derive(Clone)]
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    /// For connections that are used once.
    builder: AsyncSmtpTransportBuilder,
    from: Mailbox,
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailer").finish_non_exhaustive()
    }
}

/// Whether a server's answer is about this recipient or this mail. Other refusals, of our password
/// for one, are the operator's to mend: the mail waits for that.
fn is_final(error: &lettre::transport::smtp::Error, why: &str) -> bool {
    // The recipient can't be said to a server without SMTPUTF8; the mail library has no code for it.
    if error.is_client() && why.contains("SMTPUTF8") {
        return true;
    }
    // No address to the server, mailbox unknown, not here, full, name not allowed, transaction failed,
    // parameters unknown, no mail for that domain (RFC 5321 section 4.2.3, RFC 7504).
    matches!(error.status().map(u16::from), Some(501 | 550..=556))
}

/// An address as mail servers take it: the domain in ASCII, as name servers know it (RFC 5891). What
/// is before the `@` has no such form: only servers that offer SMTPUTF8 take it.
fn recipient(to: &str) -> Result<Address, NotTaken> {
    let refused = |why: &dyn fmt::Display| NotTaken::Refused(why.to_string());
    let (user, domain) = to.rsplit_once('@').unwrap_or((to, ""));
    let ascii = if domain.is_ascii() {
        Ok(domain.to_owned())
    } else {
        Host::parse(domain).map(|host| host.to_string())
    };
    let ascii = ascii.map_err(|error| refused(&error))?;
    Address::new(user, ascii).map_err(|error| refused(&error))
}

impl Mailer {
    /// Gives one mail to the mail server.
    ///
    /// # Errors
    /// [`NotTaken`] with the server's words.
    pub async fn send(&self, letter: &Letter<'_>) -> Result<(), NotTaken> {
        let message = self.message(letter)?;
        let sent = if letter.to.is_ascii() {
            self.transport.send(message).await
        } else {
            // Where the server can't take such an address, the mail library leaves the connection in
            // the middle of a mail: no other one may go over it.
            self.builder.clone().build().send(message).await
        };
        match sent {
            Ok(_) => Ok(()),
            Err(error) => {
                let mut why = error.to_string();
                let mut source = std::error::Error::source(&error);
                while let Some(cause) = source {
                    why = format!("{why}: {cause}");
                    source = cause.source();
                }
                let why: String = why.chars().take(ANSWER_MAX).collect();
                Err(if is_final(&error, &why) {
                    NotTaken::Refused(why)
                } else {
                    NotTaken::Later(why)
                })
            }
        }
    }

    fn message(&self, letter: &Letter<'_>) -> Result<Message, NotTaken> {
        let to = recipient(letter.to)?;
        let part = |kind: ContentType, text: &str| {
            SinglePart::builder()
                .header(kind)
                .header(ContentTransferEncoding::QuotedPrintable)
                .body(text.to_owned())
        };
        let domain = self.from.email.domain();
        Message::builder()
            .message_id(Some(format!("<{}@{domain}>", letter.id)))
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(letter.subject)
            .multipart(
                MultiPart::alternative()
                    .singlepart(part(ContentType::TEXT_PLAIN, letter.text))
                    .singlepart(part(ContentType::TEXT_HTML, letter.html)),
            )
            .map_err(|error| NotTaken::Refused(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: &str = "Headshot <no-reply@acme.com>";

    #[test]
    fn addresses_of_mail_servers_are_checked() {
        for good in [
            "smtp://mail.acme.com",
            "smtps://user:p%40ss@mail.acme.com:4650",
            "smtp://127.0.0.1:25/",
            "smtp://[::1]:2525",
        ] {
            assert!(Smtp::new(good, FROM, None).is_ok(), "{good}");
        }
        for bad in [
            "",
            "mail.acme.com",
            "http://mail.acme.com",
            "smtp://",
            "smtp://a/b",
            "smtp://a?x=1",
        ] {
            assert!(
                matches!(Smtp::new(bad, FROM, None), Err(InvalidSmtp::Url)),
                "{bad}"
            );
        }
        assert!(Smtp::new("smtp://a", "nobody", None).is_err());
        assert!(Smtp::new("smtps://a", FROM, Some(b"no pem".to_vec())).is_err());
    }

    #[test]
    fn a_domain_is_said_in_ascii() {
        let said = |to: &str| recipient(to).map(|address| address.to_string());
        for (to, known) in [
            ("jane@acme.com", "jane@acme.com"),
            ("o'hara+1@acme.com", "o'hara+1@acme.com"),
            ("info@bücher.example", "info@xn--bcher-kva.example"),
            ("jörg@bücher.example", "jörg@xn--bcher-kva.example"),
        ] {
            assert_eq!(said(to).as_deref(), Ok(known));
        }
        for wrong in ["jane@ü .example", "jane", "@acme.com"] {
            assert!(matches!(said(wrong), Err(NotTaken::Refused(_))), "{wrong}");
        }
    }

    #[test]
    fn the_password_is_not_shown() {
        let smtp = Smtp::new("smtps://user:secret@mail.acme.com", FROM, None).unwrap();
        assert!(!format!("{smtp:?}").contains("secret"), "{smtp:?}");
        assert_eq!(percent_decoded("p%40s+s").as_deref(), Some("p@s+s"));
    }

    #[tokio::test]
    async fn a_subject_can_t_add_a_header() {
        let mailer = Smtp::new("smtp://localhost", FROM, None).unwrap().mailer();
        let letter = Letter {
            id: "mail_1",
            to: "jane@acme.com",
            subject: "Hello\r\nBcc: eve@evil.example",
            text: "Text",
            html: "<p>Text</p>",
        };
        let message = mailer.unwrap().message(&letter).unwrap();
        let formatted = String::from_utf8(message.formatted()).unwrap();
        assert!(!formatted.contains("\nBcc:"), "{formatted}");
        assert!(
            formatted.contains("Message-ID: <mail_1@acme.com>"),
            "{formatted}"
        );
    }
}
