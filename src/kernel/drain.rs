//! Devices that an operator takes out of use: no new job gets its turn there, and those that run
//! are left alone. It is in the store before it holds, and holds after a restart.

use tokio::sync::oneshot;

use crate::devices::Standing;
use crate::ids::DeviceId;
use crate::kernel::{Error, Kernel, Outlook};
use crate::ports::Env;
use crate::ports::store::{AppendError, JobStore as _, ReadError};

impl<E: Env> Kernel<E> {
    /// Lets a device take no new jobs, or take them again, and tells how it stands then: `None`
    /// for one that is not listed any more. Repeating it changes nothing.
    ///
    /// # Errors
    /// [`Error::UnknownDevice`]; with [`Error::Unavailable`] it may be so or not, and a repetition
    /// makes sure.
    pub async fn set_draining(
        &self,
        device: &DeviceId,
        draining: bool,
    ) -> Result<Option<Outlook>, Error> {
        let known = self.devices.is_draining(device);
        match self.devices.standing(&device.clone().into()) {
            Standing::Unknown if !known => {
                return Err(Error::UnknownDevice {
                    device: device.clone(),
                    message: self.devices.unfit(&device.clone().into()),
                });
            }
            Standing::NeverReached if !known => {
                let why = self
                    .devices
                    .why_waiting(&device.clone().into())
                    .unwrap_or_default();
                return Err(Error::Unavailable(why));
            }
            _ => {}
        }
        self.note_draining(device.clone(), draining).await?;
        let (devices, ..) = self.devices();
        let mut devices = devices.into_iter();
        Ok(devices.find(|outlook| outlook.shown.info.id == *device))
    }

    /// In a task of its own: a caller that gives up must not leave in the store what does not hold
    /// here.
    async fn note_draining(&self, device: DeviceId, draining: bool) -> Result<(), Error> {
        let (tell, told) = oneshot::channel();
        if let Some(kernel) = self.me.upgrade() {
            self.env.spawn(async move {
                let noted = kernel.env.store();
                let noted = noted.set_draining(kernel.epoch, device.clone(), draining);
                let done = match noted.await {
                    Ok(()) => kernel.see_draining().await.map_err(Error::from),
                    Err(why) => Err(kernel.not_noted(&why)),
                };
                if done.is_ok() {
                    tracing::info!(device = device.as_str(), draining, "an operator said so");
                    kernel.show_lanes();
                }
                // Nobody listens when the caller has given up.
                let _ = tell.send(done);
            });
        }
        let gone = || Error::Unavailable("the kernel is stopping".to_owned());
        told.await.unwrap_or_else(|_| Err(gone()))
    }

    pub(super) fn not_noted(&self, why: &AppendError) -> Error {
        match why {
            AppendError::Full(_) | AppendError::Unavailable(_) => {
                Error::Unavailable(format!("{why}; repeat the request"))
            }
            why => {
                self.stop(&why.to_string());
                Error::Unavailable("this kernel has stopped; ask the one in its place".to_owned())
            }
        }
    }

    /// Takes over from the store which devices are draining.
    pub(super) async fn see_draining(&self) -> Result<(), ReadError> {
        let look = self.devices.look();
        let devices = self.env.store().draining().await?;
        self.devices.set_draining(look, devices);
        Ok(())
    }
}
