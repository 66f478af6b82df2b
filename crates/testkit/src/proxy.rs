//! A network between a process and PostgreSQL that can be cut.

use std::str::FromStr as _;
use std::sync::Arc;

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

/// Passes connections on to a database until it is cut.
#[derive(Debug)]
pub struct Proxy {
    /// The database's address by way of the proxy.
    pub url: String,
    up: watch::Sender<bool>,
    connections: TaskTracker,
}

impl Proxy {
    /// Stands before the PostgreSQL database at `url`.
    pub async fn start(url: &str) -> Arc<Self> {
        let target = PgConnectOptions::from_str(url).expect("an address of PostgreSQL");
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let port = listener.local_addr().expect("a bound socket").port();
        let user = target.get_username();
        let database = target.get_database().unwrap_or("postgres");
        let proxy = Arc::new(Self {
            url: format!("postgres://{user}@127.0.0.1:{port}/{database}?sslmode=disable"),
            up: watch::Sender::new(true),
            connections: TaskTracker::new(),
        });
        tokio::spawn(Arc::clone(&proxy).accept(listener, target));
        proxy
    }

    async fn accept(self: Arc<Self>, listener: TcpListener, target: PgConnectOptions) {
        while let Ok((near, _)) = listener.accept().await {
            let up = self.up.subscribe();
            if *up.borrow() {
                self.connections.spawn(pass_on(near, target.clone(), up));
            }
        }
    }

    /// Breaks every connection and refuses new ones. When this returns, nothing passes any more.
    pub async fn cut(&self) {
        self.up.send_replace(false);
        self.connections.close();
        self.connections.wait().await;
        self.connections.reopen();
    }

    /// Lets connections pass again.
    pub fn mend(&self) {
        self.up.send_replace(true);
    }
}

async fn pass_on(near: TcpStream, target: PgConnectOptions, up: watch::Receiver<bool>) {
    if let Some(socket) = target.get_socket() {
        let path = socket.join(format!(".s.PGSQL.{}", target.get_port()));
        if let Ok(far) = UnixStream::connect(path).await {
            copy(near, far, up).await;
        }
    } else if let Ok(far) = TcpStream::connect((target.get_host(), target.get_port())).await {
        copy(near, far, up).await;
    }
}

async fn copy<Far>(mut near: TcpStream, mut far: Far, mut up: watch::Receiver<bool>)
where
    Far: AsyncRead + AsyncWrite + Unpin,
{
    tokio::select! {
        _ = up.wait_for(|up| !up) => {}
        _ = copy_bidirectional(&mut near, &mut far) => {}
    }
}
