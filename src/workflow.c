/*
 * workflow.c: loading the library; one call to each room's init and nothing else.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/fault.h"
#include "base/fired.h"
#include "base/quota.h"
#include "base/secret.h"
#include "base/settings.h"
#include "base/wake.h"
#include "dispatch/dispatch.h"
#include "engine/engine.h"
#include "fmgr.h"
#include "query/query.h"
#include "sandbox/sandbox.h"
#include "store/audit.h"
#include "store/runtime.h"
#include "store/store.h"
#include "worker/worker.h"

PG_MODULE_MAGIC_EXT(.name = "workflow", .version = "0.1");

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	wf_settings_init();
	wf_store_audit_init();		/* callbacks are called last first: the trail is written when all else is */
	wf_wake_init();
	wf_fired_init();
	wf_quota_init();
	wf_sandbox_init();
	wf_fault_init();
	wf_master_key_init();
	wf_store_init();
	wf_store_later_init();
	wf_query_init();
	wf_engine_init();
	wf_dispatch_init();
	wf_worker_init();
}
