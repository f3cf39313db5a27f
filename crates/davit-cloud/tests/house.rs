//! Modules to test with: an API that is a folder, which `HOUSE` in the environment names. Each
//! call of it is a line in the file `calls`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use davit_module::control::{Control, Edit, Entry, Module};
use davit_module::{ModuleError, Outcome};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The tables of the tests.
pub(crate) const TABLES: &[&[Entry]] = &[&[Entry::of::<Bell>(), Entry::of::<Lamp>()]];

/// The client of the API, which modules share.
struct House {
    folder: PathBuf,
}

impl House {
    fn of(control: &Control) -> Result<Arc<Self>, ModuleError> {
        let Some(folder) = control.variable("HOUSE") else {
            return Err(ModuleError::failed("there is no house"));
        };
        Ok(control.shared().get(folder, || {
            let house = Self { folder: folder.into() };
            house.say("opened");
            house
        }))
    }

    fn say(&self, text: &str) {
        say(&self.folder, text);
    }

    fn lit(&self, name: &str) -> bool {
        fs::read_to_string(self.folder.join(name)).is_ok_and(|it| it == "true")
    }

    async fn switch(&self, name: &str, lit: bool) -> Result<String, ModuleError> {
        tokio::task::yield_now().await;
        self.say(&format!("switch {name} {lit}"));
        fs::write(self.folder.join(name), lit.to_string()).unwrap();
        Ok(format!("arn:house:{name}"))
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.say("closed");
    }
}

fn say(folder: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(folder.join("calls")).unwrap();
    writeln!(file, "{text}").unwrap();
}

/// Keep a lamp on or off.
#[derive(Deserialize, JsonSchema)]
struct LampArgs {
    /// Which lamp.
    name: String,
    /// Whether it is lit.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["burning"]))]
    lit: bool,
    /// What opens the house.
    #[serde(default)]
    #[schemars(extend("x-no-log" = true))]
    code: Option<String>,
}

struct Lamp;

impl Module for Lamp {
    const NAME: &'static str = "example.house.lamp";
    const FORMER_NAMES: &'static [&'static str] = &["house_lamp", "example.old.lamp"];
    type Args = LampArgs;

    async fn run(control: &Control, args: LampArgs) -> Result<Outcome, ModuleError> {
        let house = House::of(control)?;
        let lit = house.lit(&args.name);
        if lit != args.lit {
            let edit = Edit::new("switch it", &args.name).from(lit).to(args.lit);
            control
                .create(
                    edit,
                    async || house.switch(&args.name, args.lit).await,
                    |arn| Some(arn.clone()),
                )
                .await?;
        }
        let token = format!("token-of-{}", args.name);
        control.secret(&token);
        Ok(Outcome::new().with("lit", args.lit).with("token", token).with("code", args.code))
    }
}

/// Ring a bell.
#[derive(Deserialize, JsonSchema)]
struct BellArgs {
    /// How.
    #[serde(default)]
    how: How,
    /// How loud.
    #[serde(default)]
    volume: i64,
}

/// Ways to ring.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
enum How {
    /// Say how loud.
    #[default]
    Quietly,
    /// Ring until somebody stops it.
    ForEver,
    /// Break.
    Badly,
    /// Only the third time.
    Thrice,
}

struct Bell;

/// Notes that the one who rings was stopped.
struct Rope<'a>(&'a House);

impl Drop for Rope<'_> {
    fn drop(&mut self) {
        self.0.say("let go");
    }
}

impl Module for Bell {
    const NAME: &'static str = "amazon.aws.bell";
    type Args = BellArgs;

    async fn run(control: &Control, args: BellArgs) -> Result<Outcome, ModuleError> {
        let house = House::of(control)?;
        let _rope = Rope(&house);
        match args.how {
            How::Quietly => Ok(Outcome::new().with("volume", args.volume)),
            How::Badly => panic!("the bell broke"),
            How::Thrice => {
                house.say("ring");
                let calls = fs::read_to_string(house.folder.join("calls")).unwrap();
                let rung = calls.lines().filter(|it| *it == "ring").count();
                if rung < 3 {
                    return Err(ModuleError::failed("nobody hears").with("rung", rung));
                }
                Ok(Outcome::new().with("rung", rung))
            }
            How::ForEver => {
                let ring = async || {
                    house.say("ringing");
                    tokio::time::sleep(Duration::from_secs(3600)).await;
                    Ok(())
                };
                control.change(Edit::new("ring it", "bell"), ring).await?;
                Ok(Outcome::new())
            }
        }
    }
}
