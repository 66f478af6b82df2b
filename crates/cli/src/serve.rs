//! `headshot serve`: one process with both roles, or one role each.

use std::sync::Arc;

use anyhow::Context;
use headshot_app::{App, Roles};
use headshot_web::Web;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::args::Role;
use crate::config::Config;
use crate::{output, wiring};

pub(crate) async fn run(config: &Config, role: Option<Role>) -> anyhow::Result<()> {
    wiring::start_logging(config)?;
    if role == Some(Role::Worker) {
        let app = wiring::app(config).await?;
        warn_of_missing_peppers(&app).await?;
        let stop = stop_signal()?;
        output::line("Working. Stop with Ctrl-C.");
        Arc::clone(&app).run(Roles::Worker, stop).await;
        app.db.close().await;
        return Ok(());
    }
    // Before the database is touched: a port in use is the likeliest mistake.
    let listener = bind(config).await?;
    let address = listener.local_addr()?;
    let config = &config.listening_on(address);
    let app = wiring::app(config).await?;
    warn_of_missing_peppers(&app).await?;
    // Whoever is told may stop the server at once.
    let stop = stop_signal()?;
    output::line(format!("Serving {} on {address}", config.public_url));
    let roles = if role == Some(Role::Web) {
        Roles::Web
    } else {
        Roles::All
    };
    serve(config, app, (roles, listener), stop).await
}

/// Binds the configured address.
pub(crate) async fn bind(config: &Config) -> anyhow::Result<TcpListener> {
    TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("{} can't be listened on", config.listen))
}

/// Serves until `stop`, then ends in order: requests, lease, log, database.
pub(crate) async fn serve(
    config: &Config,
    app: Arc<App>,
    (roles, listener): (Roles, TcpListener),
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let background_stop = CancellationToken::new();
    let background = tokio::spawn(Arc::clone(&app).run(roles, background_stop.clone()));
    let web = Web::new(Arc::clone(&app), config.trusted_proxies.clone());
    headshot_web::server::serve(listener, &web, stop).await;
    background_stop.cancel();
    background
        .await
        .context("the background work ended early")?;
    app.db.close().await;
    Ok(())
}

/// Cancelled by the first SIGTERM or SIGINT.
pub(crate) fn stop_signal() -> anyhow::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = CancellationToken::new();
    let cancel = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        cancel.cancel();
    });
    Ok(stop)
}

async fn warn_of_missing_peppers(app: &App) -> anyhow::Result<()> {
    let keys = app.keys_without_pepper().await?;
    if keys > 0 {
        tracing::error!(
            keys,
            "{keys} live keys were made under a pepper that this server does not have: they are refused"
        );
    }
    Ok(())
}
