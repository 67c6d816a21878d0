"""Every seam of the system. Values cross seams, objects with state do not.

A method is ``async def`` unless it is trivially local. All raise TemporaryFailure or PermanentFailure
(model/failure.py) where a client must be told something; anything else is a mistake of ours.
One contract suite per interface stands in tests/contracts and runs against every implementation.
"""

from __future__ import annotations

from mailsuite.interfaces.directory import IAccountDirectory, ILogins, ISightings
from mailsuite.interfaces.notices import (
    IEventLog,
    IKnocker,
    INoticeIntake,
    INotifyChannel,
    ISubscriptions,
)
from mailsuite.interfaces.policy import IBans, IPolicyRule
from mailsuite.interfaces.queue import IOutboundQueue, IQueuedContent, IQueueDesk, IQueuing
from mailsuite.interfaces.resolver import IResolver
from mailsuite.interfaces.running import IEventBus, ISubmitter, IThreads
from mailsuite.interfaces.store import (
    IDeliveries,
    IDelivery,
    IMaildrop,
    IMailStore,
    IMessageBody,
    IQuotas,
)

__all__ = [
    "IAccountDirectory",
    "IBans",
    "IDeliveries",
    "IDelivery",
    "IEventBus",
    "IEventLog",
    "IKnocker",
    "ILogins",
    "IMailStore",
    "IMaildrop",
    "IMessageBody",
    "INoticeIntake",
    "INotifyChannel",
    "IOutboundQueue",
    "IPolicyRule",
    "IQueueDesk",
    "IQueuedContent",
    "IQueuing",
    "IQuotas",
    "IResolver",
    "ISightings",
    "ISubmitter",
    "ISubscriptions",
    "IThreads",
]
