// For any processor: see update_lanes.h.
#include "update_lanes.h"

namespace mainstem {
const Update kUpdateBaseline = kUpdate;
}
