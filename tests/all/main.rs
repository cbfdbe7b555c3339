//! Black-box tests through the sockets, and `tidy`, which reminds of STYLE.

mod tidy;
