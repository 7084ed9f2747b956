//! Members each in a network of its own, joined by cables that can be pulled, with a door for their clients.
//!
//! The namespaces have no names: they end with their members, whatever becomes of the test. The host's own network
//! gets nothing but a port on loopback for each door.

use std::{
    fs::File,
    net::{TcpListener, TcpStream},
    os::fd::AsFd,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::{io::copy_bidirectional, task::JoinHandle};

use crate::server::Server;

const NAMES: [&str; 3] = ["a", "b", "c"];

/// Inside its network a member is found here by its clients, by the doors that is.
const CLIENT: &str = "127.0.0.1:2379";

/// Three members and what joins them.
pub(crate) struct Network {
    pub(crate) members: Vec<Server>,
    doors: Vec<JoinHandle<()>>,
}

/// Where the others find a member.
fn address(member: usize) -> String {
    format!("192.0.2.{}", member + 1)
}

impl Network {
    /// All three running, and all joined.
    pub(crate) fn start() -> Self {
        let peer = |member| format!("http://{}:2380", address(member));
        let cluster: Vec<_> = (0..NAMES.len())
            .map(|each| format!("{}={}", NAMES[each], peer(each)))
            .collect();
        let mut network = Network {
            members: Vec::new(),
            doors: Vec::new(),
        };
        for (number, name) in NAMES.iter().enumerate() {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
            let door = listener.local_addr().expect("it is bound");
            let prepare = format!(
                "ip link set lo up && ip address add {}/32 dev lo && exec \"$@\"",
                address(number)
            );
            let launcher = ["unshare", "--net", "sh", "-c", &prepare, "sh"];
            let client = format!("http://{CLIENT}");
            let mut member = Server::new(name, &client, &peer(number), &cluster.join(","))
                .behind(&launcher)
                .reached_at(format!("http://{door}"));
            member.run();
            network
                .doors
                .push(open_door(listener, await_network(&member)));
            network.members.push(member);
        }
        for (one, other) in [(0, 1), (0, 2), (1, 2)] {
            let cable = [
                "link",
                "add",
                "name",
                NAMES[other],
                "type",
                "veth",
                "peer",
                "name",
                NAMES[one],
                "netns",
            ];
            let end = network.members[other].id().to_string();
            network.ip(one, &[&cable[..], &[&end]].concat());
            network.plug(one, other);
            network.plug(other, one);
        }
        network
    }

    /// Pulls a member's cables to the others. Its clients still reach it.
    pub(crate) fn cut_off(&self, member: usize) {
        for other in self.others(member) {
            self.ip(member, &["link", "set", "dev", NAMES[other], "down"]);
        }
    }

    /// Puts them in again.
    pub(crate) fn rejoin(&self, member: usize) {
        for other in self.others(member) {
            self.plug(member, other);
        }
    }

    fn others(&self, member: usize) -> impl Iterator<Item = usize> {
        (0..self.members.len()).filter(move |other| *other != member)
    }

    /// Turns a member's end of a cable on. Its route was gone with the link.
    fn plug(&self, member: usize, other: usize) {
        self.ip(member, &["link", "set", "dev", NAMES[other], "up"]);
        self.ip(
            member,
            &["route", "replace", &address(other), "dev", NAMES[other]],
        );
    }

    fn ip(&self, member: usize, arguments: &[&str]) {
        let target = format!("--target={}", self.members[member].id());
        let mut command = Command::new("nsenter");
        command.args([&target, "--net", "ip"]).args(arguments);
        let done = command.status().expect("nsenter of util-linux");
        assert!(done.success(), "{command:?}: {done}");
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for door in &self.doors {
            door.abort();
        }
    }
}

/// The network of a member, once it has left ours and has its address.
fn await_network(member: &Server) -> File {
    let ours = std::fs::read_link("/proc/self/ns/net").expect("a network");
    let path = format!("/proc/{}/ns/net", member.id());
    let begun = Instant::now();
    while std::fs::read_link(&path).is_ok_and(|theirs| theirs == ours) {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "no network; is this root?"
        );
        thread::sleep(Duration::from_millis(5));
    }
    File::open(path).expect("the member runs")
}

/// Passes what comes to a listener on into a network.
fn open_door(listener: TcpListener, network: File) -> JoinHandle<()> {
    listener.set_nonblocking(true).expect("a socket");
    let listener = tokio::net::TcpListener::from_std(listener).expect("a runtime");
    tokio::spawn(async move {
        loop {
            let (mut outside, _) = listener.accept().await.expect("it listens");
            let network = network.try_clone().expect("a descriptor");
            tokio::spawn(async move {
                // A member that does not listen yet refuses, and so does its door.
                if let Ok(inside) = connect(&network) {
                    let mut inside = tokio::net::TcpStream::from_std(inside).expect("a runtime");
                    let _ = copy_bidirectional(&mut outside, &mut inside).await;
                }
            });
        }
    })
}

/// A connection begun in another network: a socket stays where it was made. The thread that made it does not come back.
fn connect(network: &File) -> std::io::Result<TcpStream> {
    let enter = || {
        move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?;
        let stream = TcpStream::connect(CLIENT)?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    };
    thread::scope(|scope| scope.spawn(enter).join().expect("no panic"))
}
