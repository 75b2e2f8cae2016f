import { fields } from '../words/fields'
import { words } from '../words/language'

fields({
  area_m2: ['占地面积（㎡）', 'Area (m²)'],
  gross_m2: ['建筑面积（㎡）', 'Gross floor area (m²)'],
  leasable_m2: ['可租面积（㎡）', 'Leasable area (m²)'],
  floors: ['地上层数', 'Storeys above ground'],
  address: ['地址', 'Address'],
  'CreateBuildingRequest.latitude': ['纬度（WGS 84）', 'Latitude (WGS 84)'],
  'CreateBuildingRequest.longitude': ['经度（WGS 84）', 'Longitude (WGS 84)'],
})

export default words({
  list: ['片区楼宇', 'Zones and buildings'],
  none: ['还没有片区', 'No zones yet'],
  noBuildings: ['该片区还没有楼宇', 'No buildings in this zone'],
  createZone: ['新增片区', 'Add a zone'],
  createBuilding: ['新增楼宇', 'Add a building'],
  map: ['示意图', 'Schematic map'],
  mapOf: ['{z} 示意图', 'Schematic map of {z}'],
  mapNote: ['按楼宇坐标绘制的示意图，非测绘地图；表格内容相同。', 'Drawn from the buildings’ coordinates, not a survey; the table says the same.'],
  mapHere: ['按楼宇坐标绘制的示意图，深色为本楼。', 'Drawn from the buildings’ coordinates; this one is dark.'],
  unplaced: ['{n} 栋没有坐标，仅在表格中列出', '{n} without coordinates: in the table only'],
  allZones: ['全部片区', 'All zones'],
  zone: ['片区', 'Zone'],
  zones: ['片区列表', 'Zones'],
  buildings: ['楼宇列表', 'Buildings'],
  code: ['编码', 'Code'],
  area: ['占地面积', 'Area'],
  count: ['楼宇', 'Buildings'],
  n: ['{n} 栋', '{n}'],
  m2: ['{n} ㎡', '{n} m²'],
  building: ['楼宇', 'Building'],
  floors: ['层数', 'Storeys'],
  nFloors: ['{n} 层', '{n}'],
  gross: ['建筑面积', 'Gross area'],
  leasable: ['可租面积', 'Leasable'],
  address: ['地址', 'Address'],
  about: ['基本信息', 'About'],
  place: ['坐标', 'Coordinates'],
})
