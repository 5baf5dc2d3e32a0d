//! Becoming another user once everything is open (nginx `user`).

use std::path::Path;

use nix::unistd::{Gid, Group, Uid, User, chown, geteuid, initgroups, setgid, setuid};

/// A user and its group.
#[derive(Debug)]
pub(super) struct Identity {
    name: String,
    uid: Uid,
    gid: Gid,
}

impl Identity {
    /// Looks up `user` or `user:group`; without a group it is the user's own.
    ///
    /// # Errors
    /// There is no such user or group.
    pub(super) fn find(text: &str) -> Result<Self, String> {
        let (name, group) = text.split_once(':').map_or((text, None), |(name, group)| (name, Some(group)));
        let user = User::from_name(name).map_err(|error| format!("user: {error}"))?;
        let user = user.ok_or_else(|| format!("user: this machine has no user `{name}`"))?;
        let gid = match group {
            None => user.gid,
            Some(group) => {
                let found = Group::from_name(group).map_err(|error| format!("user: {error}"))?;
                found.ok_or_else(|| format!("user: this machine has no group `{group}`"))?.gid
            }
        };
        Ok(Self { name: name.into(), uid: user.uid, gid })
    }

    /// Becomes this user, in all threads and for good, and gives it the files that it will have
    /// to open again or to remove. Whoever is not root stays what it is, with a warning.
    ///
    /// # Errors
    /// The system refused.
    pub(super) fn assume<'a>(&self, files: impl Iterator<Item = &'a Path>) -> Result<(), String> {
        if geteuid() == self.uid {
            return Ok(());
        }
        if !geteuid().is_root() {
            tracing::warn!("`user` is without effect: only root can become another user");
            return Ok(());
        }
        for file in files {
            // What is not there needs no owner.
            let _ = chown(file, Some(self.uid), Some(self.gid));
        }
        let name = std::ffi::CString::new(self.name.as_str()).map_err(|error| error.to_string())?;
        initgroups(&name, self.gid)
            .and_then(|()| setgid(self.gid))
            .and_then(|()| setuid(self.uid))
            .map_err(|error| format!("user: cannot become {}: {error}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_looked_up_with_their_own_group_or_another() {
        let root = Identity::find("root").unwrap();
        assert_eq!((root.uid, root.gid), (Uid::from_raw(0), Gid::from_raw(0)));
        assert_eq!(
            Identity::find("root:daemon").unwrap().gid,
            Group::from_name("daemon").unwrap().unwrap().gid
        );
    }

    #[test]
    fn nobody_of_that_name_is_an_error_that_names_it() {
        assert!(Identity::find("no-such-user").unwrap_err().contains("`no-such-user`"));
        assert!(Identity::find("root:no-such-group").unwrap_err().contains("`no-such-group`"));
    }
}
