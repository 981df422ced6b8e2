// What Redis does in one go. Every key carries the hash tag {prefix}, so a script stays within one slot of a cluster.
//
//   {prefix}:lease:<workerId>  who renews it (a random name per process), expires by itself after the ttl
//   {prefix}:born              ms by Redis TIME when a call first found the keeper empty; fades after a day of silence
//
// Scripts go out whole (EVAL): they are short, calls are few, and an emptied script cache then needs no second trip.

export const leaseKey = (prefix: string, workerId: string): string => `{${prefix}}:lease:${workerId}`;
export const bornKey = (prefix: string): string => `{${prefix}}:born`;

// Shared opening: sets `now`, `born` in ms. A birth in the future means that the clock was set back: born again.
const BIRTH = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local born = tonumber(redis.call('GET', KEYS[1]))
if not born or born > now then
  born = now
  redis.call('SET', KEYS[1], string.format('%.0f', born), 'PX', 86400000)
else
  redis.call('PEXPIRE', KEYS[1], 86400000)
end
`;

// KEYS  1 born, 2 lease
// ARGV  1 name of the holder, 2 ttl in ms
// Answers 1 when the lease is held, 0 when it is another process's.
export const RENEW = `${BIRTH}
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return 1
`;

// KEYS  1 lease
// ARGV  1 name of the holder
// Answers how many leases were deleted: none when it had run out, or is another process's.
export const RELEASE = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
`;

// KEYS  1 born, 2... leases
// ARGV  1 ttl in ms
// Answers -1 while nobody can be judged, else the positions (from 1) of the leases that do not exist. A server that
// came back with its memory kept the birth while the leases ran out, so its uptime counts as well; it is known to the
// second only, hence one second more. Where INFO is not permitted the birth has to do.
export const EXPIRED = `${BIRTH}
local ttl = tonumber(ARGV[1])
if now < born + ttl then return -1 end
local info = redis.pcall('INFO', 'server')
local uptime = type(info) == 'string' and string.match(info, 'uptime_in_seconds:(%d+)')
if uptime and (tonumber(uptime) - 1) * 1000 < ttl then return -1 end
local gone = {}
for i = 2, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 0 then gone[#gone + 1] = i - 1 end
end
return gone
`;
