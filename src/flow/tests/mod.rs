//! The flows where they meet others: gateways of one house, simulated.

mod simulation;
