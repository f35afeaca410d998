//! The tasks by name. The other modules of the crate use the tasks only through this file.

pub(crate) mod error;

use std::any::Any;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use asym_models::{ModelConfig, PretrainedModel};
use toml::Table;

pub use self::error::RegistryError;
use crate::names::{fields, nearest};
use crate::task::{Scale, Task, TaskInfo};

/// An action on a task of any type.
pub trait WithTask {
    /// The result.
    type Output;

    /// Act on `task`.
    fn with<T: Task>(self, task: &T) -> Self::Output;
}

/// One line for each kind of task: a variant, and the type in its module.
macro_rules! tasks {
    ($($variant:ident($module:ident::$task:ident)),+ $(,)?) => {
        /// A task of any kind.
        #[derive(Clone, Debug, PartialEq)]
        pub enum AnyTask {
            $(#[doc = concat!("See [`", stringify!($task), "`](crate::", stringify!($module), "::", stringify!($task), ").")] $variant(crate::$module::$task),)+
        }

        $(impl From<crate::$module::$task> for AnyTask {
            fn from(task: crate::$module::$task) -> Self {
                Self::$variant(task)
            }
        })+

        impl AnyTask {
            /// The names of all tasks.
            pub fn names() -> Vec<String> {
                [$(<crate::$module::$task>::names()),+].concat()
            }

            /// The task called `name`, with the settings in `options`.
            ///
            /// # Errors
            ///
            /// The errors of [`RegistryError`].
            pub fn named(name: &str, options: &Table) -> Result<Self, RegistryError> {
                $(if <crate::$module::$task>::named(name, Default::default()).is_some() {
                    let options = options_of::<crate::$module::$task>(name, options)?;
                    if let Some(task) = <crate::$module::$task>::named(name, options) {
                        return Ok(Self::$variant(task));
                    }
                })+
                let known = Self::names();
                let nearest = nearest(name, known.iter().map(String::as_str)).map(ToOwned::to_owned);
                Err(RegistryError::UnknownTask { found: name.to_owned(), nearest, known })
            }

            /// Call `action` with this task.
            pub fn visit<A: WithTask>(&self, action: A) -> A::Output {
                match self {
                    $(Self::$variant(task) => action.with(task),)+
                }
            }

            /// The same task, with defaults for the settings that a recipe left out.
            pub fn resolved(&self, scale: Scale) -> Self {
                match self {
                    $(Self::$variant(task) => Self::$variant(task.clone().resolved(scale)),)+
                }
            }
        }

        impl Deref for AnyTask {
            type Target = dyn TaskInfo;

            fn deref(&self) -> &Self::Target {
                match self {
                    $(Self::$variant(task) => task,)+
                }
            }
        }

        /// The kind of task that has a setting called `key`.
        fn kind_with(key: &str) -> Option<&'static str> {
            $(if known_options::<crate::$module::$task>().iter().any(|known| known == key) {
                return Some(<crate::$module::$task>::KIND);
            })+
            None
        }
    };
}

tasks! {
    Glue(glue::Glue),
    Classification(classification::Classification),
    ImageClassification(image_classification::ImageClassification),
    DomainBed(domainbed::DomainBed),
    Instruction(instruction::Instruction),
    Summarization(summarization::Summarization),
}

impl AnyTask {
    /// `model` with the names of the task's labels in its configuration, if it is of the type that the task trains.
    pub fn label<M: PretrainedModel>(&self, model: M) -> M {
        struct Label<M>(M);
        impl<M: PretrainedModel> WithTask for Label<M> {
            type Output = M;
            fn with<T: Task>(self, task: &T) -> M {
                let mut model = self.0;
                if let Some(own) = (&mut model as &mut dyn Any).downcast_mut::<T::Model>() {
                    *own = task.label(own.clone());
                }
                model
            }
        }
        self.visit(Label(model))
    }

    /// The family of the models that the task trains, such as `ViT`.
    pub fn family(&self) -> &'static str {
        struct Family;
        impl WithTask for Family {
            type Output = &'static str;
            fn with<T: Task>(self, _task: &T) -> &'static str {
                <<T::Model as PretrainedModel>::Config as ModelConfig>::FAMILY
            }
        }
        self.visit(Family)
    }

    /// The settings of the task, as in a recipe.
    pub fn options(&self) -> Table {
        struct Options;
        impl WithTask for Options {
            type Output = Table;
            fn with<T: Task>(self, task: &T) -> Table {
                Table::try_from(task.options()).unwrap_or_default()
            }
        }
        self.visit(Options)
    }
}

impl fmt::Display for AnyTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.title())
    }
}

impl FromStr for AnyTask {
    type Err = RegistryError;

    fn from_str(name: &str) -> Result<Self, RegistryError> {
        Self::named(name, &Table::new())
    }
}

/// The settings in `table` for the task `name`.
fn options_of<T: Task>(name: &str, table: &Table) -> Result<T::Options, RegistryError> {
    let known = known_options::<T>();
    if let Some(found) = table.keys().find(|key| !known.contains(key)) {
        return Err(RegistryError::UnknownOption {
            task: name.to_owned(),
            found: found.clone(),
            nearest: nearest(found, known.iter().map(String::as_str)).map(ToOwned::to_owned),
            other: kind_with(found).map(ToOwned::to_owned),
            known,
        });
    }
    let refused =
        |error: toml::de::Error| RegistryError::Option { task: name.to_owned(), message: error.message().to_string() };
    table.clone().try_into().map_err(refused)
}

/// The names of the settings of a task.
fn known_options<T: Task>() -> Vec<String> {
    fields::<T::Options>()
}
