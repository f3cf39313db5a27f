//! What is secret in bodies and answers of Azure, by the names that it goes by.

use crate::web::secrets::Names;

/// The names of secret values.
pub const SECRETS: Names = Names(&[
    "accesskey",
    "accountkey",
    "connectionstring",
    "kubeconfig",
    "password",
    "primarykey",
    "privatekey",
    "protectedsettings",
    "sastoken",
    "secondarykey",
    "secret",
    "secretvalue",
    "sharedkey",
]);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_known_by_their_names() {
        let value =
            json!({"a": [{"adminPassword": "p", "keyName": "k", "protectedSettings": {"a": 1}}]});
        let shown = json!({"a": [{"adminPassword": "********", "keyName": "k", "protectedSettings": "********"}]});
        assert_eq!(SECRETS.without(&value), shown);
        assert!(!SECRETS.has("secretUri") && SECRETS.has("primaryConnectionString"));
    }
}
