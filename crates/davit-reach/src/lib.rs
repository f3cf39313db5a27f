//! How the controller reaches hosts: ssh, containers, become, and the agent behind them.
//!
//! ```text
//! Reach (Dial) ─▶ Host (Connection) ─▶ Transport ─▶ a shell ─▶ bootstrap ─▶ agent
//!                   │                                                        │
//!                   └──────────────── Link: calls, streams ◀── wire ─────────┘
//! become: a Host whose shell is a program opened through the Link of the one who logs in
//! ```
//!
//! It knows no play and no module: it takes calls and gives back what came of them.
//!
//! **Invariant:** one session a host for the whole run, and one more agent for each user that
//! tasks become; equal wishes get the same connection.

mod askpass;
mod bootstrap;
mod host;
mod link;
mod options;
mod privilege;
mod sums;
mod transport;
mod words;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use davit_event::Kind;
use davit_run::{Become, Connection, Dial, Wanted};

pub use crate::askpass::{
    Ask, Asked, Question, SESSION as ASKPASS_SESSION, SOCKET as ASKPASS_SOCKET, relay as askpass,
};
use crate::host::Host;
pub use crate::options::{CONNECTIONS, Settings, State};
pub use crate::privilege::BECOME_METHODS;
use crate::sums::Sums;

/// What a run asks of its connections.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How hosts are reached where the inventory does not say.
    pub settings: Settings,
    /// The run, under which hosts remember what they have done; empty = they do not.
    pub run: String,
    /// The whole run is a dry run.
    pub dry_run: bool,
    /// Hosts keep what is replaced or removed, so that it can be put back.
    pub keep: bool,
}

type Emit = Arc<dyn Fn(Kind) + Send + Sync>;

/// What all connections of a run share.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) sums: Sums,
    emit: RwLock<Option<Emit>>,
}

impl Shared {
    pub(crate) fn emit(&self, kind: Kind) {
        let emit = self.emit.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(emit) = emit {
            emit(kind);
        }
    }
}

/// What makes two wishes the same.
#[derive(PartialEq, Eq, Hash)]
struct Wish {
    host: Arc<str>,
    transport: String,
    privileges: Option<Become>,
}

/// All connections of a run.
pub struct Reach {
    shared: Arc<Shared>,
    hosts: Mutex<HashMap<Wish, Arc<Host>>>,
}

impl std::fmt::Debug for Reach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reach").finish_non_exhaustive()
    }
}

impl Reach {
    /// Nothing is connected yet.
    #[must_use]
    pub fn new(options: Options) -> Arc<Self> {
        let shared = Shared { options, sums: Sums::default(), emit: RwLock::default() };
        Arc::new(Self { shared: Arc::new(shared), hosts: Mutex::default() })
    }

    fn all(&self) -> Vec<Arc<Host>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn host(&self, wish: Wish, make: impl FnOnce() -> Host) -> Arc<Host> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(hosts.entry(wish).or_insert_with(|| Arc::new(make())))
    }
}

impl Dial for Reach {
    fn dial(&self, wanted: &Wanted<'_>) -> Result<Arc<dyn Connection>, String> {
        let (key, transport) = options::transport(wanted, &self.shared.options.settings)?;
        let make = |privileges: Option<Become>, login: Option<Arc<Host>>| Host {
            shared: Arc::clone(&self.shared),
            name: Arc::clone(wanted.host),
            transport: Arc::clone(&transport),
            privileges,
            login,
            link: tokio::sync::Mutex::default(),
        };
        let wish = |privileges: Option<Become>| Wish {
            host: Arc::clone(wanted.host),
            transport: key.clone(),
            privileges,
        };
        let Some(privileges) = wanted.privileges.clone() else {
            return Ok(self.host(wish(None), || make(None, None)));
        };
        // On this machine there is no agent of one's own user that it could go through, and none
        // is started but for what only an agent has: terminals.
        let goes_through = wanted.connection != "local" || privilege::asks_at_terminal(&privileges);
        let login = goes_through.then(|| self.host(wish(None), || make(None, None)));
        let as_other = Some(privileges);
        Ok(self.host(wish(as_other.clone()), || make(as_other, login)))
    }

    fn on_event(&self, emit: Emit) {
        *self.shared.emit.write().unwrap_or_else(PoisonError::into_inner) = Some(emit);
    }

    fn hold(&self) {
        for host in self.all() {
            host.hold();
        }
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            // Those who became somebody go first: their pipes lead through the others.
            let (through, direct): (Vec<_>, Vec<_>) =
                self.all().into_iter().partition(|it| it.privileges.is_some());
            for hosts in [through, direct] {
                let closing: Vec<_> = hosts
                    .into_iter()
                    .map(|host| tokio::spawn(async move { host.close().await }))
                    .collect();
                for one in closing {
                    // One that cannot be told ends with its pipe.
                    let _ = one.await;
                }
            }
        })
    }
}
