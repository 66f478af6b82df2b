//! One neural network and how to run it.

use rten::{Model, ModelOptions, RunOptions, ThreadPool, ValueOrView};
use rten_tensor::Tensor;
use rten_tensor::prelude::*;
use std::sync::Arc;

/// A network failed to load or to run. Both mean a broken build, never a bad photo.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("network {name}: {detail}")]
pub struct NetError {
    /// Which network.
    pub name: String,
    /// What the runtime said.
    pub detail: String,
}

/// A loaded network with one input tensor.
pub struct Network {
    name: &'static str,
    model: Model,
    pool: Arc<ThreadPool>,
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Network {
    /// Loads an embedded ONNX file; the weights stay in the binary's own pages.
    ///
    /// # Errors
    ///
    /// When the runtime does not understand the file.
    pub fn from_static(
        name: &'static str,
        onnx: &'static [u8],
        pool: &Arc<ThreadPool>,
    ) -> Result<Self, NetError> {
        let model = options()
            .load_static_slice(onnx)
            .map_err(|e| error(name, &e))?;
        Ok(Self {
            name,
            model,
            pool: Arc::clone(pool),
        })
    }

    /// Runs on one square RGB input given channel by channel (`[1, 3, side, side]`) and returns
    /// the first `N` outputs, flattened.
    ///
    /// # Errors
    ///
    /// When the runtime refuses the input, or the network has fewer outputs.
    pub fn run<const N: usize>(
        &self,
        side: usize,
        input: Vec<f32>,
    ) -> Result<[Vec<f32>; N], NetError> {
        let tensor = Tensor::from_data(&[1, 3, side, side], input);
        let (Some(&id), Some(outputs)) = (
            self.model.input_ids().first(),
            self.model.output_ids().get(..N),
        ) else {
            return Err(error(self.name, &"fewer inputs or outputs than expected"));
        };
        let run = RunOptions::default().with_thread_pool(Some(Arc::clone(&self.pool)));
        let values = self
            .model
            .run(
                vec![(id, ValueOrView::from(tensor.view()))],
                outputs,
                Some(run),
            )
            .map_err(|e| error(self.name, &e))?;
        let mut out = Vec::with_capacity(N);
        for value in values {
            let tensor: Tensor<f32> = value.try_into().map_err(|e| error(self.name, &e))?;
            out.push(tensor.to_vec());
        }
        out.try_into()
            .map_err(|got: Vec<Vec<f32>>| error(self.name, &format!("{} outputs", got.len())))
    }
}

fn options() -> ModelOptions {
    let mut options = ModelOptions::with_all_ops();
    options.prepack_weights(true);
    options
}

fn error(name: &str, detail: &dyn std::fmt::Display) -> NetError {
    NetError {
        name: name.to_owned(),
        detail: detail.to_string(),
    }
}
