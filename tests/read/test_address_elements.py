"""Elements of addresses in columns."""

from __future__ import annotations

from cimkit.read.addresses import read_addresses
from cimkit.tables.elements import Elements

POLICE = (
    "DZBM,SJDZBM,DZLX,DZMC,DSBM,XZJDDM,SQDM,JLXMC,MPH,XQMC,JZWMC,HAOZUO,DYH,LCH,DYFH,X,Y\n"
    "1,,建筑物,荆州市向阳路1号锦绣苑1幢,4210,421002051,421002051008,"
    "向阳路,1号,锦绣苑,1幢,,,,,620228.1,3356223.6\n"
    "2,1,户室,荆州市向阳路1号锦绣苑1幢2单元301室,4210,421002051,,"
    "向阳路,1号,锦绣苑,1幢,,2单元,3层,301室,620228.1,3356223.6\n"
    "3,,商铺,荆州市向阳路3号A座,4210,421002051,,向阳路,3号,,,A座,,,,620300.0,3356223.6\n"
)


def test_columns_of_a_police_system_in_gbk(tmp_path):
    path = tmp_path / "警务地址.csv"
    path.write_bytes(POLICE.encode("gb18030"))
    addresses, _ = read_addresses(str(path), crs="EPSG:4546")
    found = {name: column.tolist() for name, column in addresses.elements.columns().items()}
    assert found == {
        "kind": ["建筑物", "户室", ""],
        "parent_id": ["", "1", ""],
        "division": ["421002051008", "421002051", "421002051"],
        "street": ["向阳路"] * 3,
        "number": ["1号", "1号", "3号"],
        "estate": ["锦绣苑", "锦绣苑", ""],
        "building": ["1幢", "1幢", ""],
        "unit": ["", "2单元", "A座"],
        "floor": ["", "3层", ""],
        "room": ["", "301室", ""],
        "valid_from": [""] * 3,
        "valid_to": [""] * 3,
    }


def test_elements_go_with_their_rows():
    from cimkit.tables import Addresses

    elements = Elements.of(2, number=["1", "3"])
    both = Addresses(["a", "b"], ["", ""], [0.0, 1.0], [0.0, 1.0], elements=elements)
    assert both.take([1]).elements.number.tolist() == ["3"]
    again = Addresses.from_geopandas(both.to_geopandas())
    assert again.elements.number.tolist() == ["1", "3"]
