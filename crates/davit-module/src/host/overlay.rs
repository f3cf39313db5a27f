//! The predicted state of a host's files: what a dry run would have made of them by now.
//!
//! It holds only what differs from the disk. It does not know links: paths arrive resolved.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::meta::Meta;

/// The content that is predicted for a path.
#[derive(Clone, Debug)]
pub enum Body {
    /// These bytes.
    Bytes(Arc<[u8]>),
    /// What this file on the disk holds.
    File(PathBuf),
    /// Where a link points.
    Target(PathBuf),
    /// A folder: with `fresh`, nothing that the disk has beneath the path is in it.
    Folder {
        /// It was made in the prediction.
        fresh: bool,
    },
    /// It will be there, and what it holds cannot be said.
    Unknown,
}

/// Something that is predicted to stand at a path.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) meta: Meta,
    pub(crate) body: Body,
}

/// The predicted files, by resolved absolute path; `None` = nothing there.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    nodes: BTreeMap<PathBuf, Option<Node>>,
}

/// What the prediction says of a path.
pub(crate) enum Found<'a> {
    /// As the disk says.
    Disk,
    /// Nothing there.
    Absent,
    /// This.
    Node(&'a Node),
}

impl Overlay {
    /// What is predicted at `path`.
    pub(crate) fn find(&self, path: &Path) -> Found<'_> {
        if self.nodes.is_empty() {
            return Found::Disk;
        }
        match self.nodes.get(path) {
            Some(Some(node)) => return Found::Node(node),
            Some(None) => return Found::Absent,
            None => {}
        }
        for above in path.ancestors().skip(1) {
            match self.nodes.get(above) {
                Some(Some(Node { body: Body::Folder { fresh: false }, .. })) | None => {}
                Some(_) => return Found::Absent,
            }
        }
        Found::Disk
    }

    /// Predicts that `node` stands at `path`.
    pub(crate) fn put(&mut self, path: &Path, node: Node) {
        self.nodes.insert(path.to_path_buf(), Some(node));
    }

    /// Predicts that nothing stands at `path`, nor beneath it.
    pub(crate) fn remove(&mut self, path: &Path) {
        self.forget(path);
        self.nodes.insert(path.to_path_buf(), None);
    }

    /// Lets the disk speak for `path` and what is beneath it again.
    pub(crate) fn forget(&mut self, path: &Path) {
        let gone: Vec<PathBuf> = self.beneath(path).map(|(it, _)| it.clone()).collect();
        for it in gone {
            self.nodes.remove(&it);
        }
    }

    /// The names directly beneath `path` that the prediction knows of, and whether they are there.
    pub(crate) fn names<'a>(
        &'a self,
        path: &'a Path,
    ) -> impl Iterator<Item = (OsString, bool)> + 'a {
        self.beneath(path).filter(move |(it, _)| it.parent() == Some(path)).filter_map(
            |(it, node)| it.file_name().map(|name| (name.to_os_string(), node.is_some())),
        )
    }

    /// What is predicted for `path` and all that is beneath it: paths sort by their parts.
    fn beneath<'a>(
        &'a self,
        path: &'a Path,
    ) -> impl Iterator<Item = (&'a PathBuf, &'a Option<Node>)> + 'a {
        self.nodes
            .range::<Path, _>((Bound::Included(path), Bound::Unbounded))
            .take_while(move |(it, _)| it.starts_with(path))
    }

    /// Whether nothing is predicted.
    pub(crate) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}
