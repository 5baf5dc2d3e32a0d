//! Requests that come when they come, whether or not the ones before are answered.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, sleep_until, timeout};

use super::dice::Dice;
use super::fleet::Start;
use super::late::Late;

/// Who is not answered within this time gives up, and counts as an error that took as long.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Requests a second, to each policy.
    pub(super) rate: f64,
    /// Mean work of a request, seconds at speed 1.
    pub(super) work: f64,
    /// How long.
    pub(super) length: Duration,
    /// What chance starts from.
    pub(super) seed: u64,
}

/// How one policy fared.
#[derive(Debug, Default)]
pub(super) struct Sample {
    /// Seconds from when each request was due to its answer.
    times: Vec<f64>,
    failed: usize,
}

impl Sample {
    /// Milliseconds that this share of the requests took at most.
    pub(super) fn percentile(&self, share: f64) -> f64 {
        let mut sorted = self.times.clone();
        sorted.sort_by(f64::total_cmp);
        let place = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(place.saturating_sub(1)).copied().unwrap_or(f64::NAN) * 1e3
    }

    /// Per cent of the requests that were not answered by 200.
    pub(super) fn errors(&self) -> f64 {
        100.0 * self.failed as f64 / self.times.len().max(1) as f64
    }
}

/// The way to one policy.
struct Target {
    gateways: Vec<Gateway>,
    sample: RefCell<Sample>,
}

struct Gateway {
    address: SocketAddr,
    idle: RefCell<Vec<TcpStream>>,
}

/// Sends the same requests to the gateways of each policy, until done or `interrupted`; `late` is how long
/// after they were due.
pub(super) fn run(
    plan: &Plan,
    policies: &[Vec<SocketAddr>],
    begins: &Start,
    late: &Late,
    interrupted: &AtomicBool,
) -> io::Result<Vec<Sample>> {
    let gateway = |address: &SocketAddr| Gateway { address: *address, idle: RefCell::default() };
    let target = |addresses: &Vec<SocketAddr>| {
        Rc::new(Target { gateways: addresses.iter().map(gateway).collect(), sample: RefCell::default() })
    };
    let targets: Vec<Rc<Target>> = policies.iter().map(target).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, arrivals(plan, &targets, begins, late, interrupted));
    Ok(targets.iter().map(|target| target.sample.take()).collect())
}

async fn arrivals(
    plan: &Plan,
    targets: &[Rc<Target>],
    begins: &Start,
    late: &Late,
    interrupted: &AtomicBool,
) {
    let mut dice = Dice::new(plan.seed);
    let begun = Instant::now();
    let _ = begins.set(begun.into_std());
    let warm = begun + plan.length / 10;
    let mut due = begun;
    while due < begun + plan.length {
        due += Duration::from_secs_f64(dice.exponential() / plan.rate);
        let (work, through) = (dice.exponential() * plan.work, dice.bits() as usize);
        sleep_until(due).await;
        if interrupted.load(Relaxed) {
            return;
        }
        late.note(due.elapsed());
        for target in targets {
            let target = Rc::clone(target);
            spawn_local(async move {
                let gateway = &target.gateways[through % target.gateways.len()];
                let answered = timeout(PATIENCE, gateway.ask(work)).await;
                if due >= warm {
                    let mut sample = target.sample.borrow_mut();
                    sample.times.push(due.elapsed().as_secs_f64());
                    sample.failed += usize::from(!matches!(answered, Ok(Ok(true))));
                }
            });
        }
    }
    sleep_until(due + PATIENCE).await;
}

impl Gateway {
    /// Asks for this much work, seconds. Was it done?
    async fn ask(&self, work: f64) -> io::Result<bool> {
        let kept = self.idle.borrow_mut().pop();
        let mut stream = match kept {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.address).await?;
                stream.set_nodelay(true)?;
                stream
            }
        };
        let head = format!("GET /{} HTTP/1.1\r\nHost: fleet\r\n\r\n", (work * 1e6) as u64);
        stream.write_all(head.as_bytes()).await?;
        let mut answer = Vec::with_capacity(512);
        while !is_whole(&answer) {
            if stream.read_buf(&mut answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        self.idle.borrow_mut().push(stream);
        Ok(answer.starts_with(b"HTTP/1.1 200"))
    }
}

/// Has all of the answer come? Its end is told by its length.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap_or(0))
    });
    body.len() >= length.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Sample, is_whole};

    #[test]
    fn an_answer_ends_where_its_length_says() {
        assert!(!is_whole(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n"));
        assert!(!is_whole(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no"));
        assert!(is_whole(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
        assert!(is_whole(b"HTTP/1.1 500 Oops\r\n\r\n"));
    }

    #[test]
    fn percentiles_are_of_the_requests_themselves() {
        let sample = Sample { times: (1..=1_000).rev().map(|ms| f64::from(ms) / 1e3).collect(), failed: 5 };
        assert!((sample.percentile(0.99) - 990.0).abs() < 1e-9);
        assert!((sample.percentile(0.5) - 500.0).abs() < 1e-9);
        assert!((sample.errors() - 0.5).abs() < 1e-9);
    }
}
