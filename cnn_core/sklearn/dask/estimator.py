"""What the estimators over dask collections share."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from distributed import Client, default_client
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

import cnn_core.foundation.validation as validation
from cnn_core.foundation.keywords import knows_its_arguments
from cnn_core.sklearn.dask.collections import partitions_of
from cnn_core.sklearn.dask.partitions import Partitions
from cnn_core.sklearn.dask.predictions import predicted
from cnn_core.sklearn.parts import GivenPart, is_empty, merged_if_any

OWN_PARAMETERS = {"client": None, "n_chains": None, "sync_every": 1000, "persist": True}


class DaskEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """An estimator of `cnn_core.sklearn` that is fitted to dask collections.

    Its parameters are those of the class `local`, and its own behind them. After `fit`, its attributes are those of
    `local_`, the fitted estimator of that class.
    """

    local: ClassVar[type]
    fit_parts: ClassVar[Callable[..., None]]

    def __init_subclass__(cls, **more: object) -> None:
        """Give an estimator the constructor that scikit-learn reads its parameters from."""
        super().__init_subclass__(**more)
        if "local" in vars(cls):
            cls.__init__ = _constructor(cls.local)  # type: ignore[method-assign]

    def __getattr__(self, name: str) -> Any:
        if name.endswith("_") and not name.startswith("_") and name != "local_" and "local_" in vars(self):
            return getattr(self.local_, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "client": None}  # which belongs to its process

    def __sklearn_clone__(self) -> Self:
        """Return an unfitted estimator with the same parameters and the same client, which cannot be copied."""
        copied = {
            name: value if name == "client" else copy.deepcopy(value) for name, value in self.get_params(False).items()
        }
        return type(self)(**copied)

    def __sklearn_tags__(self) -> Any:
        return self._unfitted().__sklearn_tags__()

    def _unfitted(self) -> Any:
        """The estimator of one process with the same parameters."""
        return self.local(
            **{name: value for name, value in self.get_params(False).items() if name not in OWN_PARAMETERS}
        )

    def _client(self) -> Client:
        try:
            client = default_client() if self.client is None else self.client
        except ValueError as error:
            raise ValueError(
                "`client` must be a distributed.Client where none is the current one. Received: client=None. "
                "Start one: client = distributed.Client()"
            ) from error
        if not isinstance(client, Client):
            raise TypeError(f"`client` must be a distributed.Client. Received: client={client!r}")
        if client.asynchronous:
            raise ValueError("`client` must not be asynchronous. Received: Client(asynchronous=True)")
        return client

    def _n_chains(self, client: Client) -> int:
        if self.n_chains is not None:
            return validation.positive_integer(self.n_chains, "n_chains")
        n_threads = sum(client.nthreads().values())
        if not n_threads:
            raise ValueError(f"`client` must have workers; client.wait_for_workers(1) waits. Received: client={client}")
        return int(n_threads)

    @knows_its_arguments
    def fit(self, X: object, y: object, sample_weight: object = None) -> Self:
        """Train on the workers that hold the rows.

        Parameters
        ----------
        X : dask.array.Array of shape (n, features), or dask.dataframe.DataFrame
        y : dask.array.Array of shape (n,) or (n, outputs), dask.dataframe.Series or DataFrame
            With the partitions of X.
        sample_weight : dask.array.Array of shape (n,) or dask.dataframe.Series, default None

        Returns
        -------
        self

        Raises
        ------
        TypeError
            If one of them is no dask collection.
        ValueError
            If their partitions differ, a partition holds what `fit` of the local estimator refuses, a parameter needs
            all rows in one place, or there is no client.
        """
        sync_every = validation.positive_integer(self.sync_every, "sync_every")
        persist = validation.boolean(self.persist, "persist")
        given = partitions_of(X, y, sample_weight)
        client = self._client()
        partitions = Partitions(client, given, self._n_chains(client), persist)
        local = self._unfitted()
        type(self).fit_parts(local, partitions, X, y, sample_weight, sync_every)
        self.local_ = local
        return self

    def to_local(self) -> Any:
        """Return a copy of the fitted estimator that needs no cluster: one of `cnn_core.sklearn`."""
        check_is_fitted(self)
        return copy.deepcopy(self.local_)

    def predict(self, X: object) -> Any:
        """Return the predictions of `to_local()` for every row, when they are asked for.

        Parameters
        ----------
        X : dask.array.Array of shape (n, features), or dask.dataframe.DataFrame

        Returns
        -------
        dask.array.Array, or a dask Series or DataFrame with the index of a frame
        """
        return self._predicted("predict", X)

    def _scored(self, function: Callable[..., Scored], X: object, y: object, sample_weight: object) -> Any:
        """Return what scores of all rows are computed from, merged on the workers."""
        check_is_fitted(self)
        partitions = Partitions(self._client(), partitions_of(X, y, sample_weight), 1, True)
        found = partitions.summarize("score", function, self.local_).of_rows
        if found is None:
            raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required: no partition has rows")
        return found

    def _predicted(self, method: str, X: object) -> Any:
        check_is_fitted(self)
        return predicted(self.local_, method, X)


@dataclass(frozen=True)
class Scored:
    """What the score of some rows is computed from; None without rows."""

    of_rows: Any

    @classmethod
    def of(cls, kind: Any, estimator: BaseEstimator, part: GivenPart) -> Self:
        """Return what the score of a partition is computed from."""
        if is_empty(part):
            return cls(None)
        y, weights = (None if each is None else np.asarray(each) for each in (part.y, part.weights))
        return cls(kind.of(y, np.asarray(estimator.predict(part.X)), weights))

    @classmethod
    def merge(cls, parts: Sequence[Self]) -> Self:
        """Return the same of all the rows."""
        return cls(merged_if_any(part.of_rows for part in parts))


def _constructor(local: type) -> Callable[..., None]:
    """Return a constructor with the parameters of a class and those of all estimators here."""
    theirs = list(inspect.signature(local).parameters.values())
    own = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=value) for name, value in OWN_PARAMETERS.items()
    ]
    of_self = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    signature = inspect.Signature([of_self, *theirs, *own])

    def construct(self: object, *arguments: object, **more: object) -> None:
        bound = signature.bind(self, *arguments, **more)
        bound.apply_defaults()
        for name, value in list(bound.arguments.items())[1:]:
            setattr(self, name, value)

    construct.__signature__ = signature  # type: ignore[attr-defined]
    return construct
