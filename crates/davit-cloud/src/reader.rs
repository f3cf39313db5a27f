//! What a lookup or an inventory plugin sees of the program: they read and change nothing, so there
//! is no check mode and no gate.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use davit_module::ModuleError;
use davit_module::control::Shared;

use crate::aws::client::Aws;
use crate::aws::plugin_login::PluginLogin;

/// Is told a text.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// What a lookup or an inventory plugin sees of the program.
#[derive(Clone)]
pub struct Reader {
    /// The environment of the program.
    pub environment: Arc<BTreeMap<String, String>>,
    /// Where clients are kept from one call to the next.
    pub shared: Shared,
    /// Is told what is not an error.
    pub warn: Tell,
    /// Is told what is not to be shown.
    pub secret: Tell,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("shared", &self.shared).finish_non_exhaustive()
    }
}

impl Reader {
    /// A variable of the environment.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<String> {
        self.environment.get(name).cloned()
    }

    /// The client for who calls.
    ///
    /// # Errors
    /// When what is said contradicts itself, or a file of the AWS CLI or a setting makes no sense.
    pub fn aws(&self, login: &PluginLogin) -> Result<Aws, ModuleError> {
        Aws::of(login.caller(self)?, self.variables(), &self.shared)
    }

    /// The whole environment.
    #[must_use]
    pub fn variables(&self) -> Vec<(String, String)> {
        self.environment.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}
