//! The clouds of Azure and where their services are. Calls nothing.

/// A cloud: one installation of Azure with accounts of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cloud {
    /// `AzureCloud`.
    pub name: &'static str,
    /// Where tokens are given out.
    pub login: &'static str,
    /// Where resources are kept: Azure Resource Manager. It is what its tokens are for, too.
    pub manager: &'static str,
    /// The end of the names of storage accounts: `ACCOUNT.blob.` stands before it.
    pub storage: &'static str,
    /// The end of the names of key vaults: `VAULT.` stands before it.
    pub vault: &'static str,
}

/// Every cloud, with the names that it goes by in small letters.
const CLOUDS: &[(&[&str], Cloud)] = &[
    (
        &["azurecloud", "azurepubliccloud", "public"],
        Cloud {
            name: "AzureCloud",
            login: "https://login.microsoftonline.com",
            manager: "https://management.azure.com",
            storage: "core.windows.net",
            vault: "vault.azure.net",
        },
    ),
    (
        &["azurechinacloud", "china"],
        Cloud {
            name: "AzureChinaCloud",
            login: "https://login.chinacloudapi.cn",
            manager: "https://management.chinacloudapi.cn",
            storage: "core.chinacloudapi.cn",
            vault: "vault.azure.cn",
        },
    ),
    (
        &["azureusgovernment", "azureusgovernmentcloud", "usgovernment"],
        Cloud {
            name: "AzureUSGovernment",
            login: "https://login.microsoftonline.us",
            manager: "https://management.usgovcloudapi.net",
            storage: "core.usgovcloudapi.net",
            vault: "vault.usgovcloudapi.net",
        },
    ),
];

/// What tokens for blobs are for, in every cloud.
pub const STORAGE: &str = "https://storage.azure.com";

impl Cloud {
    /// The cloud of a name: `AzureCloud`, `china`, `US_Government` ...
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        let name = name.to_ascii_lowercase();
        let found = CLOUDS.iter().find(|(names, _)| names.contains(&name.as_str()));
        found.map(|(_, cloud)| cloud.clone())
    }

    /// The names that errors list.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        CLOUDS.iter().map(|(_, cloud)| cloud.name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clouds_are_known_by_several_names() {
        for (name, expected) in [
            ("AzureCloud", Some("AzureCloud")),
            ("public", Some("AzureCloud")),
            ("US_GOVERNMENT", Some("AzureUSGovernment")),
            ("AzureChinaCloud", Some("AzureChinaCloud")),
            ("AzureGermanCloud", None),
        ] {
            assert_eq!(Cloud::named(name).map(|it| it.name), expected, "{name}");
        }
    }
}
