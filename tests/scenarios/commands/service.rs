//! Life under a service manager.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use command_fds::{CommandFdExt, FdMapping};
use rustix::process::Signal;

use crate::harness::{PATIENCE, Plan, Wire, backends, eventually, gateway};

/// Starts the gateway as a service manager does that has opened its sockets.
fn activated(command: &mut Command, sockets: impl IntoIterator<Item = OwnedFd>) {
    let program = command.get_program().to_owned();
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let folder = command.get_current_dir().expect("a folder").to_owned();
    let mappings: Vec<_> =
        (3..).zip(sockets).map(|(child_fd, parent_fd)| FdMapping { parent_fd, child_fd }).collect();
    *command = Command::new("/bin/sh");
    command.args(["-c", "LISTEN_PID=$$ exec \"$0\" \"$@\""]).arg(program).args(arguments);
    command.env("LISTEN_FDS", mappings.len().to_string()).current_dir(folder);
    command.stderr(std::process::Stdio::piped());
    command.fd_mappings(mappings).expect("each descriptor once");
}

#[test]
fn sockets_that_were_opened_before_are_served_with_who_waits_in_them() {
    let [a] = backends(["a"]);
    let outside = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = outside.local_addr().unwrap().to_string();
    let mut early = Wire::to(&address);
    early.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");

    let plan = gateway().top("workers = 2").listen(&address).upstream("api", [&a]);
    let gateway = plan.start_as(|command| activated(command, [outside.into()]));
    assert_eq!(early.answer().status(), 200);
    assert_eq!((gateway.address(), gateway.get("/").status()), (address.as_str(), 200));
}

#[test]
fn a_socket_that_nobody_wants_is_named() {
    let [a] = backends(["a"]);
    let outside = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = outside.local_addr().unwrap();

    let plan = gateway().listen("127.0.0.2:0").upstream("api", [&a]);
    let gateway = plan.start_as(|command| activated(command, [outside.into()]));
    gateway.says(&format!("a socket at {address} was passed to this process, and no listener wants it"));
}

fn told(manager: &UnixDatagram) -> String {
    let mut message = [0; 256];
    let length = manager.recv(&mut message).expect("a message to the service manager");
    String::from_utf8_lossy(&message[..length]).into_owned()
}

#[test]
fn the_service_manager_is_told_what_happens() {
    let [a] = backends(["a"]);
    let plan: Plan = gateway().upstream("api", [&a]);
    let path = plan.folder().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut gateway = plan.start_as(|command| {
        command.env("NOTIFY_SOCKET", path);
    });
    assert_eq!(told(&manager).trim(), "READY=1");

    gateway.reload();
    assert!(told(&manager).starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(told(&manager).trim(), "READY=1");
    gateway.signal(Signal::QUIT);
    assert_eq!(told(&manager).trim(), "STOPPING=1");
    gateway.ends();
}

#[test]
fn root_becomes_who_the_configuration_says() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can become another user");
        return;
    }
    let [a] = backends(["a"]);
    let plan = gateway().top("user = \"daemon\"").upstream("api", [&a]);
    let gateway = plan.section("[log]\naccess = \"access.log\"").start();

    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let ids: Vec<_> =
        status.lines().filter(|line| line.starts_with(['U', 'G']) && line.contains("id:")).collect();
    assert_eq!(ids, ["Uid:\t1\t1\t1\t1", "Gid:\t1\t1\t1\t1"]);
    assert_eq!(gateway.get("/").status(), 200);
    gateway.lines("access.log", 1);
    eventually("its threads are daemon's too", || threads_are(gateway.pid(), "Uid:\t1\t1\t1\t1"));
}

fn threads_are(process: u32, ids: &str) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).expect("a living process has threads");
    threads.flatten().all(|thread| {
        std::fs::read_to_string(thread.path().join("status")).is_ok_and(|status| status.contains(ids))
    })
}

#[test]
fn a_user_that_does_not_exist_is_an_error() {
    let [a] = backends(["a"]);
    let plan = gateway().top("user = \"no-such-user\"").upstream("api", [&a]).write();
    let finished = crate::harness::pointsman(&["run", "-c", &plan.path().display().to_string()]);
    assert_eq!(finished.code, 3);
    assert!(finished.stderr.contains("this machine has no user `no-such-user`"), "{finished:?}");
}
