//! A file that holds a secret, or what a program is to print.

use std::path::PathBuf;

/// A file of one test's own; removed when dropped.
pub struct SecretFile(pub PathBuf);

impl SecretFile {
    pub fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("upauth-e2e-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    pub fn write(&self, text: &str) {
        std::fs::write(&self.0, text).unwrap();
    }

    pub fn read(&self) -> String {
        std::fs::read_to_string(&self.0).unwrap()
    }

    /// `{ file = "..." }`.
    pub fn reference(&self) -> String {
        format!("{{ file = \"{}\" }}", self.0.display())
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
