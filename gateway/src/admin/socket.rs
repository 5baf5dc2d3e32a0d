//! The control socket as a file: who may open it, and whose it is.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

/// Removes the socket when the gateway ends, unless somebody else's stands there by then.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    device_and_inode: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|now| now == self.device_and_inode) {
            // Nobody is left to tell if this fails, and the next gateway clears it away.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Listens at `path`, where only this user may connect (mode 0600). A socket that a dead gateway
/// left there is removed.
///
/// `succeeds`: the living gateway that listens there is the one that this one replaces; its socket
/// is replaced in one step, so that there is always somebody to talk to.
///
/// # Errors
/// A living gateway listens there, something else is in the way, or the path cannot be used.
pub(super) fn bind(path: &Path, succeeds: bool) -> io::Result<(UnixListener, SocketFile)> {
    let explain = |error: io::Error| {
        io::Error::new(error.kind(), format!("cannot open the control socket `{}`: {error}", path.display()))
    };
    let bound = if succeeds { replace(path) } else { clear(path).and_then(|()| listen(path)) };
    bound.map_err(explain)
}

fn replace(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let beside = path.with_extension("new");
    clear(&beside)?;
    let (listener, mut file) = listen(&beside)?;
    fs::rename(&beside, path)?;
    file.path = path.into();
    Ok((listener, file))
}

/// Makes sure that nothing stands at `path`.
fn clear(path: &Path) -> io::Result<()> {
    let file = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !file.is_socket() {
        return Err(io::Error::new(
            ErrorKind::AlreadyExists,
            "there is a file of that name, and it is no socket",
        ));
    }
    match UnixStream::connect(path) {
        Ok(_) => {
            let text = "a gateway is running with this configuration; stop it first, or give this one another socket";
            Err(io::Error::new(ErrorKind::AddrInUse, text))
        }
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
    }
}

/// Between `bind` and `listen` nobody can connect, so that there is no moment at which the socket
/// is open to all.
fn listen(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile { path: path.into(), device_and_inode: identity(path)? };
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    socket.set_nonblocking(true)?;
    socket.listen(16)?;
    Ok((UnixListener::from(OwnedFd::from(socket)), file))
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        (folder, path)
    }

    #[test]
    fn only_its_user_may_open_it_and_it_goes_with_the_gateway() {
        let (_folder, path) = place();
        let bound = bind(&path, false).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        drop(bound);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_dead_gateway_left_is_cleared_away() {
        let (_folder, path) = place();
        let (listener, file) = bind(&path, false).unwrap();
        std::mem::forget(file);
        drop(listener);
        assert!(path.exists());
        bind(&path, false).unwrap();
    }

    #[test]
    fn a_living_gateway_is_left_alone_and_named() {
        let (_folder, path) = place();
        let _bound = bind(&path, false).unwrap();
        let error = bind(&path, false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().contains("a gateway is running with this configuration"), "{error}");
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn a_file_that_is_no_socket_is_never_removed() {
        let (_folder, path) = place();
        fs::write(&path, "precious").unwrap();
        assert!(bind(&path, false).unwrap_err().to_string().contains("it is no socket"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }

    #[test]
    fn a_gateway_that_ends_late_does_not_take_its_successors_socket_along() {
        let (_folder, path) = place();
        let (_, old) = bind(&path, false).unwrap();
        let _new = bind(&path, true).unwrap();
        drop(old);
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn a_path_that_cannot_be_used_is_named() {
        let error = bind(Path::new("/nowhere/control.sock"), false).unwrap_err().to_string();
        assert!(error.contains("`/nowhere/control.sock`") && error.contains("No such file"), "{error}");
        let long = format!("/tmp/{}", "x".repeat(200));
        assert!(bind(Path::new(&long), false).unwrap_err().to_string().contains(&long));
    }
}
