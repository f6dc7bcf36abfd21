# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How a request ended: the error codes of r2rgen_interfaces, and how errors become such."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import Any

from r2rgen_interfaces.msg import ErrorCode

from r2rgen_ros.model.errors import R2RGenError

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}


@dataclass(frozen=True)
class Outcome:
    """A code of `ErrorCode` and what it means in words.

    Attributes:
        code: NONE where all went well.
        message: Empty where all went well.

    """

    code: int = ErrorCode.NONE
    message: str = ''

    @property
    def is_good(self) -> bool:
        """Whether all went well."""
        return self.code == ErrorCode.NONE

    @classmethod
    def of(cls, error: BaseException, code: int = ErrorCode.BAD_INPUT) -> Outcome:
        """What an error means.

        Args:
            error: What was raised.
            code: Code of an `R2RGenError` that is not about the disk.

        """
        cause = error.__cause__ or error.__context__
        for each in (error, cause):
            if isinstance(each, OSError) and each.errno in _DISK:
                return cls(ErrorCode.DISK, str(error))
        if isinstance(error, R2RGenError):
            return cls(code, str(error))
        return cls(ErrorCode.INTERNAL, f'{type(error).__name__}: {error}')

    def fill(self, response: Any) -> Any:
        """Set error_code and error_msg of a result or response; return it."""
        response.error_code = self.code
        response.error_msg = self.message
        return response

    def trigger(self, response: Any, message: str = '') -> Any:
        """Set success and message of a std_srvs/Trigger response; return it."""
        response.success = self.is_good
        response.message = self.message or message
        return response
