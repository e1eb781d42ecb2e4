/*
 * tenant.h: who manages a tenant. Private to this room.
 */
#ifndef WF_API_TENANT_H
#define WF_API_TENANT_H

#include "store/store.h"

/* The tenant if current_user may manage it; throws 42501, the same for a tenant that does not exist. */
extern void wf_api_require_manager(const char *name, WfTenant *tenant);
/* The same, with no change of the tenant or its members by anybody else until the transaction ends. */
extern void wf_api_require_only_manager(const char *name, WfTenant *tenant);

#endif
