//! A container: this machine's programs in namespaces of podman or docker, without an image from anywhere.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use crate::{
    Ground, Outcome,
    process::{end_family, finish, is_root, run, wait_until},
};

/// Who runs containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// `podman`, which needs no daemon.
    Podman,
    /// `docker`, with a [`Dockerd`] or the machine's own daemon.
    Docker,
}

impl Engine {
    fn program(self) -> &'static str {
        match self {
            Self::Podman => "podman",
            Self::Docker => "docker",
        }
    }
}

/// A container that runs until it is dropped.
#[derive(Debug)]
pub struct Container {
    /// Its name.
    pub name: String,
    engine: Engine,
    /// Where docker's daemon listens.
    daemon: Option<String>,
}

impl Container {
    /// Starts one. It has this machine's `/usr` and `/etc` to read, and these folders to write, at the same paths.
    ///
    /// # Errors
    /// There is no such engine, or it refuses.
    pub fn start(
        ground: &Ground,
        engine: Engine,
        daemon: Option<&Dockerd>,
        writable: &[&Path],
    ) -> Outcome<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        if !is_root() {
            return Err("containers of the test ground can only be made by root".to_owned());
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("davit-ground-{}-{number}", std::process::id());
        let container =
            Self { name: name.clone(), engine, daemon: daemon.map(|it| it.socket.clone()) };
        let root = ground.path(&format!("{name}-root"));
        bare_root(&root).map_err(|error| format!("{}: {error}", root.display()))?;
        let mut args: Vec<String> = Vec::new();
        let mut image = root.display().to_string();
        match engine {
            // The other runtime of Debian refuses machines with both kinds of control groups.
            Engine::Podman => args.extend(["--runtime", "runc", "run"].map(str::to_owned)),
            Engine::Docker => {
                let tar = ground.path(&format!("{name}.tar")).display().to_string();
                run("tar", &["-C", &image, "-cf", &tar, "."])?;
                container.engine(&["import", &tar, &name])?;
                args.push("run".to_owned());
                image.clone_from(&name);
            }
        }
        let limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];
        args.extend(["--detach", "--network", "none", "--name", &name].map(str::to_owned));
        if engine == Engine::Podman {
            args.extend(limits.map(str::to_owned));
        }
        for (path, how) in [("/usr", "ro"), ("/etc", "ro")] {
            args.push(format!("--volume={path}:{path}:{how}"));
        }
        for path in writable {
            args.push(format!("--volume={0}:{0}", path.display()));
        }
        if engine == Engine::Podman {
            args.push("--rootfs".to_owned());
        }
        args.extend([
            image,
            "/bin/sh".to_owned(),
            "-c".to_owned(),
            "while :; do wait; sleep 1; done".to_owned(),
        ]);
        ground.write(&format!("{name}.container"), &format!("{} {name}", engine.program()))?;
        container.engine(&args.iter().map(String::as_str).collect::<Vec<_>>())?;
        Ok(container)
    }

    /// Runs a program in it.
    ///
    /// # Errors
    /// It fails: with what it said.
    pub fn run(&self, argv: &[&str]) -> Outcome<String> {
        let mut args = vec!["exec", &self.name];
        args.extend(argv);
        self.engine(&args)
    }

    /// The variable by which docker's client finds the daemon, if it is not the machine's own.
    #[must_use]
    pub fn daemon(&self) -> Option<&str> {
        self.daemon.as_deref()
    }

    fn engine(&self, args: &[&str]) -> Outcome<String> {
        let mut command = Command::new(self.engine.program());
        command.args(args);
        if let Some(socket) = &self.daemon {
            command.env("DOCKER_HOST", socket);
        }
        finish(&mut command)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let mut args = vec!["rm", "--force", "--volumes", &self.name];
        if self.engine == Engine::Podman {
            // It would wait ten seconds for a shell that heeds no request to end.
            args.push("--time=0");
        }
        let _ = self.engine(&args);
        if self.engine == Engine::Docker {
            let _ = self.engine(&["rmi", "--force", &self.name]);
        }
    }
}

/// A root folder with nothing but places for mounts and the links that lead into `/usr`.
fn bare_root(root: &Path) -> std::io::Result<()> {
    for folder in ["usr", "etc", "root", "home", "tmp", "var/tmp", "run", "proc", "sys", "dev"] {
        fs::create_dir_all(root.join(folder))?;
    }
    for folder in ["tmp", "var/tmp"] {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(root.join(folder), fs::Permissions::from_mode(0o1777))?;
    }
    for link in ["bin", "sbin", "lib", "lib64", "lib32"] {
        if let Ok(target) = fs::read_link(Path::new("/").join(link)) {
            symlink(target, root.join(link))?;
        }
    }
    Ok(())
}

/// A docker daemon of its own.
#[derive(Debug)]
pub struct Dockerd {
    child: Child,
    /// What `DOCKER_HOST` has to be.
    pub socket: String,
}

impl Dockerd {
    /// Starts it below the ground's folder and waits until it answers.
    ///
    /// # Errors
    /// There is no `dockerd`, or it does not start.
    pub fn start(ground: &Ground) -> Outcome<Self> {
        let folder = ground.path("docker");
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let at = |name: &str| -> PathBuf { folder.join(name) };
        let socket = format!("unix://{}", at("docker.sock").display());
        let log = fs::File::create(at("log")).map_err(|error| error.to_string())?;
        let child = Command::new("dockerd")
            .args(["--iptables=false", "--bridge=none", "--storage-driver=vfs", "--host", &socket])
            .arg(format!("--data-root={}", at("data").display()))
            .arg(format!("--exec-root={}", at("exec").display()))
            .arg(format!("--pidfile={}", ground.path("dockerd-own.pid").display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("dockerd: {error} (Debian: docker.io)"))?;
        let daemon = Self { child, socket };
        let answers = || {
            finish(Command::new("docker").arg("version").env("DOCKER_HOST", &daemon.socket)).is_ok()
        };
        if wait_until(Duration::from_secs(60), answers) {
            return Ok(daemon);
        }
        let log = fs::read_to_string(at("log")).unwrap_or_default();
        let from = log.len().saturating_sub(500);
        Err(format!("dockerd does not answer: {}", log.get(from..).unwrap_or_default()))
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).unwrap_or(0);
        if let Some(own) = crate::every_process().iter().find(|it| it.pid == pid) {
            own.signal(nix::sys::signal::Signal::SIGTERM);
        }
        let ended =
            wait_until(Duration::from_secs(15), || matches!(self.child.try_wait(), Ok(Some(_))));
        if !ended {
            end_family(pid);
            let _ = self.child.wait();
        }
    }
}
