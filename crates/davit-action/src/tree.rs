//! What is in a folder of the controller: files, folders and links, by the names that they get at
//! their destination.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// All that is in a folder, in the order of the names.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// Files, with the names that they get.
    pub(crate) files: Vec<(PathBuf, String)>,
    /// Folders beneath the first one.
    pub(crate) folders: Vec<String>,
    /// What links point to, with the names that they get.
    pub(crate) links: Vec<(PathBuf, String)>,
}

impl Tree {
    /// Looks at `root`. A path that ends in `/` stands for what is in it: names begin below it.
    /// With `follow`, links are what they point to, as long as they point to something.
    ///
    /// # Errors
    /// The path that could not be read.
    pub(crate) fn of(root: &Path, follow: bool) -> Result<Self, (PathBuf, io::Error)> {
        let mut tree = Self::default();
        let name = match root.file_name() {
            Some(name) if !root.to_string_lossy().ends_with('/') => {
                name.to_string_lossy().into_owned()
            }
            _ => String::new(),
        };
        let start = fs::canonicalize(root).map_err(|error| (root.to_path_buf(), error))?;
        // Each folder with the real paths of those above it: what contains itself has no end.
        let mut left = vec![(root.to_path_buf(), name, vec![start])];
        while let Some((folder, below, above)) = left.pop() {
            let fail = |error| (folder.clone(), error);
            let mut names = Vec::new();
            for entry in fs::read_dir(&folder).map_err(fail)? {
                names.push(entry.map_err(fail)?.file_name());
            }
            names.sort();
            let mut deeper = Vec::new();
            for name in names {
                let path = folder.join(&name);
                let told = match below.as_str() {
                    "" => name.to_string_lossy().into_owned(),
                    below => format!("{below}/{}", name.to_string_lossy()),
                };
                let is_link = path.is_symlink();
                if is_link && (!follow || !path.exists()) {
                    let target = fs::read_link(&path).map_err(|error| (path.clone(), error))?;
                    tree.links.push((target, told));
                } else if path.is_dir() {
                    let real = fs::canonicalize(&path).map_err(|error| (path.clone(), error))?;
                    if above.contains(&real) {
                        continue;
                    }
                    tree.folders.push(told.clone());
                    let mut above = above.clone();
                    above.push(real);
                    deeper.push((path, told, above));
                } else if path.is_file() {
                    tree.files.push((path, told));
                }
            }
            left.extend(deeper.into_iter().rev());
        }
        Ok(tree)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_tree_is_seen_with_and_without_its_links() {
        let top = tempfile::tempdir().unwrap();
        let root = top.path().join("tree");
        fs::create_dir_all(root.join("d/e")).unwrap();
        fs::create_dir(root.join("empty")).unwrap();
        fs::write(root.join("f1"), "1").unwrap();
        fs::write(root.join("d/f2"), "2").unwrap();
        symlink("f1", root.join("link")).unwrap();
        symlink("d", root.join("to_d")).unwrap();
        symlink("nowhere", root.join("broken")).unwrap();
        symlink("..", root.join("d/up")).unwrap();
        let check = |root: &str, follow: bool, files: &[&str], folders: &[&str], links: &[&str]| {
            let tree = Tree::of(Path::new(root), follow).unwrap();
            let names: Vec<&str> = tree.files.iter().map(|it| it.1.as_str()).collect();
            assert_eq!(names, files, "{root} {follow}");
            assert_eq!(tree.folders, folders, "{root} {follow}");
            let names: Vec<&str> = tree.links.iter().map(|it| it.1.as_str()).collect();
            assert_eq!(names, links, "{root} {follow}");
        };
        let root = root.to_string_lossy();
        check(
            &format!("{root}/"),
            false,
            &["f1", "d/f2"],
            &["d", "empty", "d/e"],
            &["broken", "link", "to_d", "d/up"],
        );
        check(
            &root,
            true,
            &["tree/f1", "tree/link", "tree/d/f2", "tree/to_d/f2"],
            &["tree/d", "tree/empty", "tree/to_d", "tree/d/e", "tree/to_d/e"],
            &["tree/broken"],
        );
        assert!(Tree::of(Path::new("/nosuch"), true).is_err());
    }
}
