//! The receiver's side is a real socket that says what a test has it say.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::super::tests::parcel;
use super::*;

/// An acknowledgement of that code for that message, framed.
fn answer(code: &str, id: &str) -> Vec<u8> {
    let body = format!("MSH|^~\\&|||||20261130||ACK|1|P|2.5.1\rMSA|{code}|{id}\r");
    [b"\x0B", body.as_bytes(), b"\x1C\r"].concat()
}

/// A listener that says the next of `script` after each message; nothing where it is empty. It
/// tells on which connection each message came.
async fn serve(script: Vec<Vec<u8>>) -> (Receiver, mpsc::UnboundedReceiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut script = script.into_iter();
        let mut number = 0;
        let (answers, mut next) = mpsc::unbounded_channel::<tokio::sync::oneshot::Sender<_>>();
        tokio::spawn(async move {
            while let Some(asked) = next.recv().await {
                let _ = asked.send(script.next().unwrap_or_default());
            }
        });
        while let Ok((mut stream, _)) = listener.accept().await {
            number += 1;
            let (tell, answers) = (tell.clone(), answers.clone());
            tokio::spawn(async move {
                let (mut codec, mut buffer) = (Codec::new(65_536), BytesMut::new());
                while matches!(stream.read_buf(&mut buffer).await, Ok(1..)) {
                    while let Ok(Some(_)) = codec.decode(&mut buffer) {
                        let (ask, says) = tokio::sync::oneshot::channel();
                        answers.send(ask).unwrap();
                        stream.write_all(&says.await.unwrap()).await.unwrap();
                        tell.send(number).unwrap();
                    }
                }
            });
        }
    });
    (Receiver::new(&settings(&address), &limits(), None).unwrap(), told)
}

fn settings(address: &str) -> Settings {
    let (tls, application, authority) = (None, None, None);
    Settings { address: address.to_owned(), tls, application, authority }
}

const fn limits() -> Limits {
    Limits {
        timeout_ms: 1_000,
        connect_timeout_ms: 1_000,
        reply_bytes_max: 512,
        in_flight_max: 1,
        failures_max: 1,
        open_ms: 1,
    }
}

/// Sends `payments-1`, `payments-2` …; what comes of each, and on which connection it was read.
async fn check(script: Vec<Vec<u8>>, expect: &[(Result<Said, LineError>, usize)]) {
    let (receiver, mut told) = serve(script).await;
    for (number, (said, connection)) in (1..).zip(expect) {
        let sent = receiver.bring(&parcel(number, 1, "MSH|^~\\&|")).await;
        assert_eq!((sent, told.recv().await.unwrap()), (*said, *connection), "message {number}");
    }
}

#[tokio::test]
async fn what_is_answered_decides_and_the_connection_goes_on() {
    let script = [("AA", 1), ("CA", 2), ("AE", 3), ("CE", 4), ("AR", 5), ("CR", 6)];
    let script = script.map(|(code, number)| answer(code, &format!("payments-{number}")));
    let said =
        [Said::Taken, Said::Taken, Said::NotThis, Said::NotThis, Said::Refused, Said::Refused];
    check(script.to_vec(), &said.map(|said| (Ok(said), 1))).await;
}

#[tokio::test]
async fn an_answer_to_another_message_is_nobodys_and_ends_the_connection() {
    let script = vec![
        answer("AA", "payments-7"),
        // Late: the message before has this id.
        answer("AA", "payments-1"),
        answer("AA", ""),
        answer("AA", "payments-4"),
    ];
    let astray = Err(LineError::Astray);
    check(script, &[(astray, 1), (astray, 2), (astray, 3), (Ok(Said::Taken), 4)]).await;
}

#[tokio::test]
async fn what_nobody_waits_for_is_not_taken_for_the_next_answer() {
    let twice = [answer("CA", "payments-1"), answer("AA", "payments-2")].concat();
    check(vec![twice, answer("AE", "payments-2")], &[(Ok(Said::Taken), 1), (Ok(Said::NotThis), 2)])
        .await;
}

#[tokio::test]
async fn what_is_no_acknowledgement_breaks_the_connection() {
    let broken = Err(LineError::Broken);
    let long = [b"\x0B".as_slice(), &[b'x'; 600]].concat();
    let script = vec![
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        b"\x0BEVN|A01\r\x1C\r".to_vec(),
        answer("OK", "payments-3"),
        long,
        answer("AA", "payments-5"),
    ];
    check(script, &[(broken, 1), (broken, 2), (broken, 3), (broken, 4), (Ok(Said::Taken), 5)])
        .await;
}

#[tokio::test]
async fn a_message_given_up_takes_its_connection_with_it() {
    let (receiver, mut told) = serve(vec![Vec::new(), answer("AA", "payments-2")]).await;
    let first = parcel(1, 1, "MSH|^~\\&|");
    {
        let waiting = receiver.bring(&first);
        tokio::pin!(waiting);
        tokio::select! {
            said = &mut waiting => panic!("nobody answered, and {said:?} came"),
            connection = told.recv() => assert_eq!(connection, Some(1)),
        }
    }
    assert_eq!(receiver.bring(&parcel(2, 2, "MSH|^~\\&|")).await, Ok(Said::Taken));
    assert_eq!(told.recv().await, Some(2));
}

#[tokio::test]
async fn nobody_there_is_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let receiver = Receiver::new(&settings(&address), &limits(), None).unwrap();
    let first = parcel(1, 1, "MSH|^~\\&|");
    let sent = tokio::time::timeout(Duration::from_secs(30), receiver.bring(&first)).await;
    assert_eq!(sent.unwrap(), Err(LineError::Unreachable));
}

#[test]
fn an_address_that_is_none_or_plain_and_abroad_is_refused() {
    let check = |address: &str, expect: Option<SetUpError>| {
        let made = Receiver::new(&settings(address), &limits(), None);
        assert_eq!(made.err(), expect, "{address}");
    };
    check("127.0.0.1:2575", None);
    check("[::1]:2575", None);
    check("localhost:2575", None);
    check("receiver.example:2575", Some(SetUpError::Plain));
    check("10.0.0.7:2575", Some(SetUpError::Plain));
    for wrong in ["localhost", "localhost:0", "localhost:70000", ":2575", "a b:1", ""] {
        let made = Receiver::new(&settings(wrong), &limits(), None);
        assert!(made.is_err(), "{wrong}");
    }
}
