/*
 * mail.h: what comes to a run from outside, and what it says to others. Private to this room.
 */
#ifndef WF_ENGINE_MAIL_H
#define WF_ENGINE_MAIL_H

#include "engine/state.h"

/* Has a signal to the run, or a buffered event, of this name come already? Takes it: its payload in run memory. */
extern bool wf_mail_has_come(Run *run, const char *event, const char *correlation, JsonbValue *payload);
/* Keeps a signal {"event", "payload"} until the run asks for it. */
extern void wf_mail_keep_signal(Run *run, const Jsonb *signal);
/* Takes a kept signal of this event; false when there is none. */
extern bool wf_mail_take_signal(Run *run, const char *event, JsonbValue *payload);
/* False when the run has got this event before; else it has from now on. */
extern bool wf_mail_see_event(Run *run, const char *event_id);

/* Asks a run to end; false when it has ended or is not of the tenant. The second is for a child of the run. */
extern bool wf_mail_send_cancel(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, const char *reason);
extern void wf_mail_cancel(Run *run, const pg_uuid_t *child);

/* Tells the parent, if there is one, how the run ended. */
extern void wf_mail_tell_parent(Run *run, const char *status, const Jsonb *output, const Jsonb *error);

/* The object `{key: value}`. */
extern Jsonb *wf_mail_object1(const char *key, const JsonbValue *value);

#endif
