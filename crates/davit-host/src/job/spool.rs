//! A call on its way to the process that carries it out: files that only their owner may read.
//!
//! It does not know how the process is started.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use davit_module::{Attachment, Call, Job, Options, Reply, Session};
use serde::{Deserialize, Serialize};

/// The name of the file that holds the call.
const CALL: &str = "call";

/// All that a job needs to know.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Spool {
    pub(super) module: String,
    pub(super) job: Job,
    /// The folder of results, absolute.
    pub(super) results: PathBuf,
    name: String,
    args: Reply,
    check: bool,
    diff: bool,
    environment: Vec<(String, String)>,
    /// The names of attachments, and of the files that hold them.
    attachments: BTreeMap<String, PathBuf>,
    no_log: bool,
    verbosity: u8,
    tmp: PathBuf,
    folder: PathBuf,
    umask: Option<u32>,
    session: Vec<(String, String)>,
    keep: Option<PathBuf>,
    /// What is still to be written to files.
    #[serde(skip)]
    open: BTreeMap<String, Attachment>,
}

impl Spool {
    pub(super) fn new(module: &str, call: &Call, job: &Job, session: &Session) -> Self {
        let options = session.options();
        Self {
            module: module.to_owned(),
            job: job.clone(),
            results: PathBuf::new(),
            name: call.name.clone(),
            args: call.args.clone(),
            check: call.check,
            diff: call.diff,
            environment: call.environment.clone(),
            attachments: BTreeMap::new(),
            no_log: call.no_log,
            verbosity: call.verbosity,
            tmp: call.tmp.clone(),
            folder: call.folder.clone(),
            umask: call.umask,
            session: options.environment.clone(),
            keep: options.keep.clone(),
            open: call.attachments.clone(),
        }
    }

    /// Writes it to a folder that only its owner may use, and says which file is to be read.
    ///
    /// # Errors
    /// Where it cannot be written, or an attachment cannot be read.
    pub(super) fn write(mut self, folder: &Path) -> io::Result<PathBuf> {
        self.results = folder.parent().unwrap_or(Path::new("/")).to_path_buf();
        for (at, (name, attachment)) in std::mem::take(&mut self.open).into_iter().enumerate() {
            let path = folder.join(format!("attachment-{at}"));
            // The original may be gone by the time that the job gets to it.
            io::copy(&mut attachment.open()?, &mut private(&path)?)?;
            self.attachments.insert(name, path);
        }
        let path = folder.join(CALL);
        let mut file = BufWriter::new(private(&path)?);
        serde_json::to_writer(&mut file, &self)?;
        file.flush()?;
        Ok(path)
    }

    /// Reads one back.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        Ok(serde_json::from_reader(BufReader::new(File::open(path)?))?)
    }

    /// The call, and the session in which it runs.
    pub(super) fn into_call(self) -> (Session, Call) {
        let session = Session::new(Options {
            keep: self.keep,
            environment: self.session,
            ..Options::default()
        });
        let attachments = self.attachments.into_iter();
        let call = Call {
            name: self.name,
            args: self.args,
            check: self.check,
            diff: self.diff,
            environment: self.environment,
            attachments: attachments.map(|(name, path)| (name, Attachment::Path(path))).collect(),
            no_log: self.no_log,
            verbosity: self.verbosity,
            tmp: self.tmp,
            folder: self.folder,
            umask: self.umask,
            ..Call::default()
        };
        (session, call)
    }
}

fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_call_comes_back_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let job = Job { id: "j1.2".into(), limit: 3, folder: String::new() };
        let mut call = Call {
            args: json!({"a": [1, "b"]}).as_object().unwrap().clone(),
            environment: vec![("K".into(), "v".into())],
            umask: Some(0o27),
            ..Call::default()
        };
        call.attachments.insert("src".into(), Attachment::Bytes(b"text".to_vec().into()));
        let spool = Spool::new("ansible.builtin.copy", &call, &job, &Session::default());
        std::fs::create_dir(folder.path().join("spool")).unwrap();
        let path = spool.write(&folder.path().join("spool")).unwrap();
        for file in [&path, &folder.path().join("spool/attachment-0")] {
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        let read = Spool::read(&path).unwrap();
        assert_eq!((read.module.as_str(), &read.job), ("ansible.builtin.copy", &job));
        assert_eq!(read.results, folder.path());
        let (_, back) = read.into_call();
        assert_eq!((&back.args, &back.environment), (&call.args, &call.environment));
        assert_eq!(back.umask, call.umask);
        assert_eq!(back.attachments["src"].read().unwrap(), b"text");
    }
}
