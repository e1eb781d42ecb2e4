/*
 * trigger_webhook.h: trigger.webhook as a kind of trigger. Private to this room.
 */
#ifndef WF_ENGINE_TRIGGER_WEBHOOK_H
#define WF_ENGINE_TRIGGER_WEBHOOK_H

#include "engine/triggers.h"

extern const TriggerKind wf_trigger_webhook_kind;

/* Throws 23505: the row's route is another workflow's: `by` is `another workflow`, or `workflow "name"`. */
pg_noreturn extern void wf_trigger_webhook_taken(const WfTriggerRow *row, const char *by);

#endif
