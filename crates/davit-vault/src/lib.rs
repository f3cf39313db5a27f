//! Ansible Vault files: encrypt, decrypt, ids.
