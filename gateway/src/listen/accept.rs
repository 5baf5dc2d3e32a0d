//! The accept loop.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::spawn_local;

use super::connection::{Handler, Settings, serve_connection};
use super::{Peer, Registry, Socket};
use crate::alarm::Alarms;

/// Pause after an accept failed for want of descriptors or memory: they may be back then.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections and serves each in a task of its own, until the future is dropped.
/// Nothing is awaited here but the next connection, and no failure ends the loop.
pub async fn serve<H: Handler>(
    socket: Socket,
    settings: Rc<Settings>,
    alarms: Rc<Alarms>,
    registry: Rc<Registry>,
    handler: H,
) {
    loop {
        if let Err(error) = accept(&socket, &settings, &alarms, &registry, &handler).await
            && !is_the_clients(&error)
        {
            tracing::error!("cannot accept a connection: {error}; trying again in {PAUSE:?}");
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn accept<H: Handler>(
    socket: &Socket,
    settings: &Rc<Settings>,
    alarms: &Rc<Alarms>,
    registry: &Rc<Registry>,
    handler: &H,
) -> io::Result<()> {
    let peer = |address, local| {
        Rc::new(Peer::new(
            address,
            local,
            registry.accepted(),
            alarms.alarm(),
            settings,
        ))
    };
    match socket {
        Socket::Tcp(listener) => {
            let (stream, address) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let peer = peer(Some(address), listener.local_addr().ok());
            spawn_local(serve_connection(
                stream,
                peer,
                Rc::clone(settings),
                Rc::clone(registry),
                handler.clone(),
            ));
        }
        Socket::Unix(listener) => {
            let (stream, _) = listener.accept().await?;
            spawn_local(serve_connection(
                stream,
                peer(None, None),
                Rc::clone(settings),
                Rc::clone(registry),
                handler.clone(),
            ));
        }
    }
    Ok(())
}

/// Did the client leave before it was accepted? That is no concern of ours.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, InvalidInput, NotConnected};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | InvalidInput | NotConnected
    )
}
