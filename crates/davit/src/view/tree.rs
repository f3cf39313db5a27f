//! `tree`: each host's last result, in a file of its name. It knows nothing but the results.

use std::io;
use std::path::PathBuf;

use davit_event::{Event, Kind, Sink};

use crate::view::dump;

/// The view: writes into one folder.
pub(crate) struct Tree {
    folder: PathBuf,
}

impl Tree {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }
}

impl Sink for Tree {
    fn accept(&mut self, event: &Event) -> io::Result<()> {
        let Kind::HostDone { host, end, .. } = &event.kind else { return Ok(()) };
        std::fs::create_dir_all(&self.folder)?;
        // A name with a slash in it must not lead out of the folder.
        let name = host.replace('/', "_");
        let mut reply = end.reply.clone();
        reply.remove("invocation");
        std::fs::write(self.folder.join(name), dump::json_map(&reply, None))
    }
}
