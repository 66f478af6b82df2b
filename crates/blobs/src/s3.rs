//! Objects in S3 or on a server that speaks its protocol.

use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::{ClientOptions, RetryConfig};

use crate::location::S3;

/// How long a request may be tried again: less than a caller of ours waits.
const RETRY_MAX: Duration = Duration::from_secs(10);

/// How long the server may be silent. There is no limit for a whole request: a slow reader of ours
/// may take its time.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// Opens the bucket without asking it anything.
pub(crate) fn open(s3: &S3) -> object_store::Result<AmazonS3> {
    use_ring();
    let client = ClientOptions::new()
        .with_connect_timeout(Duration::from_secs(5))
        .with_read_timeout(SILENCE_MAX)
        .with_timeout_disabled();
    let mut builder = AmazonS3Builder::new()
        .with_client_options(client)
        .with_retry(RetryConfig {
            max_retries: 3,
            retry_timeout: RETRY_MAX,
            ..RetryConfig::default()
        });
    for (key, value) in &s3.options {
        let names_endpoint = matches!(
            key,
            AmazonS3ConfigKey::Endpoint | AmazonS3ConfigKey::S3Endpoint
        );
        if names_endpoint && value.starts_with("http://") {
            // Whoever writes http means it.
            builder = builder.with_allow_http(true);
        }
        builder = builder.with_config(*key, value);
    }
    builder.with_bucket_name(&s3.bucket).build()
}

/// One cryptography in the process: the database's driver uses ring as well.
fn use_ring() {
    // An error says that one is chosen already.
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
}
