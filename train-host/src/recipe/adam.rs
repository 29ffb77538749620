//! Adam (Kingma and Ba, 2015) with accessible moments, so that a run resumes exactly.

use crate::net::params::Params;

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// First and second moments by parameter name.
#[derive(Debug)]
pub struct Adam {
    /// Mean of the gradients.
    pub first: Params,
    /// Mean of their squares.
    pub second: Params,
}

impl Adam {
    /// All moments zero.
    pub fn new(params: &Params) -> Self {
        let zeros = || params.iter().map(|(name, p)| (name.clone(), p.zeros_like().detach())).collect();
        Self { first: zeros(), second: zeros() }
    }

    /// One step with the gradients held by `params`, which are cleared; `step` counts from 0.
    pub fn step(&mut self, params: &mut Params, learning_rate: f64, step: u64) {
        let _no_grad = tch::no_grad_guard();
        let power = i32::try_from(step + 1).unwrap_or(i32::MAX);
        let (correct1, correct2) = (1.0 - BETA1.powi(power), 1.0 - BETA2.powi(power));
        for (name, p) in params.iter_mut() {
            let gradient = p.grad();
            let (Some(first), Some(second)) = (self.first.get_mut(name), self.second.get_mut(name)) else { continue };
            let _ = first.g_mul_scalar_(BETA1).g_add_(&(&gradient * (1.0 - BETA1)));
            let _ = second.g_mul_scalar_(BETA2).g_add_(&(gradient.square() * (1.0 - BETA2)));
            let denominator = (&*second / correct2).sqrt() + EPSILON;
            let _ = p.g_sub_(&(&*first / denominator * (learning_rate / correct1)));
            p.zero_grad();
        }
    }
}
