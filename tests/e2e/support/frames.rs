//! Who writes HTTP/2 frames by itself, as a caller or as an upstream, so that no library mends what it says (RFC 9113, RFC 7541).

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::caller::PATIENCE;

/// What became of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was answered.
    Status(u16),
    /// It was reset.
    Reset,
    /// The connection was given up.
    Gone,
}

/// One connection.
pub struct Frames<S = TcpStream> {
    stream: S,
    buffer: Vec<u8>,
}

impl Frames {
    /// A caller's.
    pub async fn connect(addr: std::net::SocketAddr) -> Self {
        Self::over(TcpStream::connect(addr).await.unwrap()).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Frames<S> {
    /// A caller's, over a stream that is there.
    pub async fn over(mut stream: S) -> Self {
        stream.write_all(PREFACE).await.unwrap();
        let mut frames = Self {
            stream,
            buffer: Vec::new(),
        };
        frames.frame(SETTINGS, 0, 0, &[]).await;
        frames
    }

    /// An upstream's, which says nothing of itself yet. `None`: the other side wrote something else.
    pub async fn accept(mut stream: S) -> Option<Self> {
        let mut preface = [0; PREFACE.len()];
        stream.read_exact(&mut preface).await.ok()?;
        (preface == *PREFACE).then_some(Self {
            stream,
            buffer: Vec::new(),
        })
    }

    /// The stream of the next request, its body unread. `None`: the connection ended.
    pub async fn request(&mut self) -> Option<u32> {
        loop {
            match self.next().await? {
                (HEADERS, id, _) => return Some(id),
                (GOAWAY, ..) => return None,
                _ => {}
            }
        }
    }

    pub async fn headers(&mut self, id: u32, fields: &[(&[u8], &[u8])], is_last: bool) {
        let flags = END_HEADERS | if is_last { END_STREAM } else { 0 };
        self.frame(HEADERS, flags, id, &block(fields)).await;
    }

    pub async fn data(&mut self, id: u32, data: &[u8], is_last: bool) {
        let flags = if is_last { END_STREAM } else { 0 };
        self.frame(DATA, flags, id, data).await;
    }

    /// Waits for what becomes of a stream.
    pub async fn end(&mut self, id: u32) -> End {
        tokio::time::timeout(PATIENCE, self.until_end(id))
            .await
            .expect("the stream hangs")
    }

    async fn until_end(&mut self, id: u32) -> End {
        loop {
            let Some((kind, on, payload)) = self.next().await else {
                return End::Gone;
            };
            match kind {
                GOAWAY => return End::Gone,
                RST_STREAM if on == id => return End::Reset,
                HEADERS if on == id => return End::Status(status(&payload)),
                _ => {}
            }
        }
    }

    /// The next frame: its kind, its stream, what is in it.
    pub async fn next(&mut self) -> Option<(u8, u32, Vec<u8>)> {
        loop {
            if let [a, b, c, kind, _, d, e, f, g, ..] = self.buffer[..] {
                let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap();
                if self.buffer.len() >= 9 + length {
                    let payload = self.buffer[9..9 + length].to_vec();
                    self.buffer.drain(..9 + length);
                    return Some((kind, u32::from_be_bytes([d, e, f, g]), payload));
                }
            }
            if matches!(self.stream.read_buf(&mut self.buffer).await, Ok(0) | Err(_)) {
                return None;
            }
        }
    }

    pub async fn frame(&mut self, kind: u8, flags: u8, id: u32, payload: &[u8]) {
        // Whoever has given the connection up need not take it.
        let _ = self
            .stream
            .write_all(&frame(kind, flags, id, payload))
            .await;
        // TLS keeps what its socket did not take at once, also when the task has had its turn.
        let _ = self.stream.flush().await;
    }
}

/// Fields as a block, each a literal without indexing and with a new name (RFC 7541 section 6.2.2).
pub fn block(fields: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            assert!(text.len() < 127, "a length of one byte");
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text);
        }
    }
    block
}

/// The bytes of a frame.
pub fn frame(kind: u8, flags: u8, id: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(id.to_be_bytes());
    frame.extend(payload);
    frame
}

/// `:status` as the first field of a block: indexed, or three digits, perhaps in Huffman's code.
fn status(block: &[u8]) -> u16 {
    match *block {
        [indexed @ 0x88..=0x8e, ..] => {
            [200, 204, 206, 304, 400, 404, 500][usize::from(indexed - 0x88)]
        }
        [0x08 | 0x48, 3, a, b, c, ..] => [a, b, c]
            .iter()
            .fold(0, |all, digit| all * 10 + u16::from(digit - b'0')),
        [0x08 | 0x48, length, ref rest @ ..] => {
            let code = &rest[..usize::from(length & 0x7f)];
            let bits = code
                .iter()
                .fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte))
                << (64 - 8 * code.len());
            huffman(bits)
        }
        _ => panic!("an odd block: {block:02x?}"),
    }
}

/// Three digits: `0` to `2` have five bits, the others six (RFC 7541 appendix B).
fn huffman(mut bits: u64) -> u16 {
    let mut number = 0;
    for _ in 0..3 {
        let (digit, length) = match bits >> 59 {
            short @ 0..=2 => (short, 5),
            _ => ((bits >> 58) - 0b01_1001 + 3, 6),
        };
        number = number * 10 + u16::try_from(digit).unwrap();
        bits <<= length;
    }
    number
}

pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
