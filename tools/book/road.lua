-- SPDX-License-Identifier: GPL-2.0
-- Roads through the book: what each chapter builds on, how long it takes, and
-- which chapters a reader with a purpose reads. book.lua gathers the answers of
-- the chapters (add), and this file holds them against the references that the
-- chapters really make (check), draws them (map) and checks the tracks (track).
local M = { chapters = {}, at = {} }

-- So many references back to one chapter, and it is needed.
M.TOO_MANY = 2

-- A chapter's road: id, label, word for the drawing, needs (ids), hours, file.
function M.add(road)
  M.chapters[#M.chapters + 1] = road
  M.at[road.id] = road
  road.place = #M.chapters
end

-- All that a chapter builds on, what that builds on included.
local function closure(id, into)
  for _, need in ipairs((M.at[id] or { needs = {} }).needs) do
    if not into[need] then
      into[need] = true
      closure(need, into)
    end
  end
  return into
end

local function is_redundant(road, need)
  for _, other in ipairs(road.needs) do
    if other ~= need and closure(other, {})[need] then return other end
  end
end

local function check_needs(road, complain)
  for _, need in ipairs(road.needs) do
    local other = M.at[need]
    if not other then
      complain(road.file, 'needs="%s": there is no such chapter with a road', need)
    elseif other.place >= road.place then
      complain(road.file, 'needs="%s": it comes later in the book', need)
    elseif is_redundant(road, need) then
      complain(road.file, 'needs="%s" goes without saying: "%s" needs it', need,
               is_redundant(road, need))
    end
  end
end

-- @made: how often the chapter of one id refers to that of another.
function M.check(made, complain)
  for _, road in ipairs(M.chapters) do
    check_needs(road, complain)
    local known = closure(road.id, {})
    for id, times in pairs(made[road.id] or {}) do
      local other = M.at[id]
      if other and other.place < road.place and times >= M.TOO_MANY and
        not known[id] then
        complain(road.file, 'refers to "%s" %d times and does not need it, says its road',
                 id, times)
      end
    end
  end
end

-- For dot. What is unknown, check() complains of.
function M.map()
  local lines = { 'digraph {', '  rankdir=TB; nodesep=0.18; ranksep=0.28;',
    '  node [shape=box, style=rounded, fontname="sans-serif", fontsize=12,' ..
    ' height=0.3, margin="0.08,0.04"];', '  edge [arrowsize=0.6];' }
  for i, road in ipairs(M.chapters) do
    lines[#lines + 1] = ('  c%d [label="%s"];'):format(i, road.word)
    for _, need in ipairs(road.needs) do
      local other = M.at[need]
      if other then
        lines[#lines + 1] = ('  c%d -> c%d;'):format(other.place, i)
      end
    end
  end
  lines[#lines + 1] = '}'
  return table.concat(lines, '\n')
end

-- The same in words, for those who cannot see it.
function M.map_in_words()
  local said = {}
  for _, road in ipairs(M.chapters) do
    local names = {}
    for _, need in ipairs(road.needs) do
      names[#names + 1] = M.at[need] and M.at[need].label or need
    end
    said[#said + 1] = #names == 0 and road.label .. ' builds on no other.' or
      road.label .. ' builds on ' .. table.concat(names, ' and ') .. '.'
  end
  return table.concat(said, ' ')
end

-- A track reads some chapters and skims some; what they need must be among them.
-- Returns the hours of those that are read.
function M.track(read, skim, complain)
  local on, hours = {}, 0
  for _, id in ipairs(read) do on[id] = true end
  for _, id in ipairs(skim) do on[id] = true end
  for _, id in ipairs(read) do
    local road = M.at[id]
    if not road then
      complain('a track reads "%s", which has no road', id)
    else
      hours = hours + road.hours
      for need in pairs(closure(id, {})) do
        if not on[need] then
          complain('a track reads "%s", which builds on "%s", and neither reads nor skims that',
                   id, need)
        end
      end
    end
  end
  return hours
end

return M
